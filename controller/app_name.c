#include "controller/app_name.h"

#include <stdio.h>
#include <string.h>

#include "controller/skip32.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

static const char *const animals[] = {
	"alpacas", "ants", "badgers", "bats", "bears", "beavers", "bees", "bisons",
	"camels", "cats", "cheetahs", "crabs", "cranes", "crows", "deer", "dingos",
	"dolphins", "doves", "ducks", "eagles", "eels", "elks", "emus", "falcons",
	"ferrets", "finches", "foxes", "frogs", "geckos", "geese", "gibbons", "goats",
	"gulls", "hares", "hawks", "herons", "horses", "ibises", "jackals", "koalas",
	"larks", "lemurs", "lions", "lizards", "llamas", "lynxes", "moles", "moose",
	"newts", "otters", "owls", "pandas", "pumas", "quails", "rabbits", "ravens",
	"seals", "sheep", "storks", "swans", "tigers", "turtles", "whales", "wolves",
};

static const char *const verbs[] = {
	"admire", "adore", "answer", "build", "call", "carry", "chase", "cheer",
	"circle", "climb", "cross", "dance", "dream", "draw", "enjoy", "explore",
	"fancy", "find", "follow", "forgive", "greet", "guard", "guide", "harvest",
	"hear", "help", "hug", "invent", "join", "juggle", "jump", "keep",
	"knit", "know", "leave", "lift", "like", "love", "measure", "meet",
	"mend", "notice", "paint", "pass", "plant", "play", "praise", "reach",
	"repair", "rescue", "ride", "roam", "sail", "save", "see", "serve",
	"sketch", "sweep", "teach", "thank", "trust", "visit", "watch", "wonder",
};

static const char *const towns[] = {
	"aarhus", "accra", "alicante", "ancona", "arles", "austin", "bath", "bergen",
	"berlin", "bilbao", "boston", "bremen", "brno", "cadiz", "cairo", "cardiff",
	"como", "cork", "dakar", "delft", "denver", "derby", "dover", "dublin",
	"essen", "faro", "florence", "galway", "genoa", "ghent", "graz", "halifax",
	"hanoi", "helsinki", "ibadan", "izmir", "jena", "kiel", "krakow", "kyoto",
	"leeds", "lima", "linz", "lisbon", "lyon", "malmo", "nairobi", "nantes",
	"odense", "oslo", "oxford", "padua", "porto", "prague", "quito", "riga",
	"salem", "sofia", "tampere", "turin", "uppsala", "vienna", "york", "zagreb",
};

static int
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int
is_dashed_words(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > APP_NAME_MAX || name[0] == '-' || name[len - 1] == '-')
		return 0;
	for (size_t i = 0; i < len; i++)
		if (!is_word_char(name[i]) && (name[i] != '-' || name[i + 1] == '-'))
			return 0;
	return 1;
}

int
app_name_check(const char *name, struct fl_err *err)
{
	char id[FL_UUID_LEN + 1];

	if (!is_dashed_words(name))
		return fl_err_set(err, FL_ERR_INVALID, "\"%.120s\" is no app name: take 1 to %d of a-z and 0-9, "
						       "in groups joined by single dashes", name, APP_NAME_MAX);
	if (fl_uuid_parse(name, id))
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no app name: it reads as an id", name);
	return 0;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static void
read_seed(const char *seed, unsigned char key[SKIP32_KEY_LEN])
{
	memset(key, 0, SKIP32_KEY_LEN);
	if (seed == NULL)
		return;
	for (size_t i = 0; i < SKIP32_KEY_LEN; i++) {
		int high = hex_digit(seed[2 * i]), low = high == -1 ? -1 : hex_digit(seed[2 * i + 1]);

		if (low == -1)
			return;
		key[i] = (unsigned char)(high << 4 | low);
	}
}

char *
app_name_generate(const char *seed, uint32_t n)
{
	const uint32_t n_names = (uint32_t)(fl_nitems(animals) * fl_nitems(verbs) * fl_nitems(towns));
	unsigned char key[SKIP32_KEY_LEN];

	read_seed(seed, key);
	/* Walking the cipher's cycle until it comes back into the range keeps it free of repeats. */
	do
		n = skip32_encrypt(key, n);
	while (n >= n_names);
	return fl_xasprintf("%s-%s-%s", animals[n % fl_nitems(animals)],
	    verbs[n / fl_nitems(animals) % fl_nitems(verbs)],
	    towns[n / fl_nitems(animals) / fl_nitems(verbs)]);
}
