/*
 * replay - runs one fuzzer's function over the files named, printing TAP.
 *
 * The stand-in for libFuzzer's main in `make test`: every input that ever found
 * something stays fixed, with any compiler.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The largest input that a corpus may hold; libFuzzer's own default is 4 KiB. */
enum { INPUT_MAX_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* The buffer is of the exact size so that ASan sees a read past the input. */
static int
replay(const char *path)
{
	uint8_t *whole = malloc(INPUT_MAX_BYTES), *data = NULL;
	FILE *in = fopen(path, "rb");
	size_t size_bytes = 0;
	int rc = -1;

	if (whole == NULL || in == NULL)
		goto out;
	size_bytes = fread(whole, 1, INPUT_MAX_BYTES, in);
	if (ferror(in))
		goto out;
	data = realloc(whole, size_bytes > 0 ? size_bytes : 1);
	if (data == NULL)
		goto out;
	whole = NULL; /* data is its new address */
	LLVMFuzzerTestOneInput(data, size_bytes);
	rc = 0;
out:
	if (in != NULL)
		fclose(in);
	free(whole);
	free(data);
	return rc;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		int rc = replay(argv[i]);

		failed += rc != 0;
		printf("%sok %d - %s\n", rc == 0 ? "" : "not ", i, argv[i]);
		fflush(stdout);
	}
	return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
