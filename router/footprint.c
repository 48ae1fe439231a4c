#include "router/footprint.h"

#include <event2/event.h>
#include <link.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libflynn/attr.h"

/* The code that clients need, of TLS and of the C library: the first of them would wait for it. */
static bool
is_wanted(uintptr_t start, uintptr_t end)
{
	const uintptr_t code[] = { (uintptr_t)SSL_accept, (uintptr_t)EVP_EncryptUpdate, (uintptr_t)malloc_trim };

	for (size_t i = 0; i < fl_nitems(code); i++)
		if (code[i] >= start && code[i] < end)
			return true;
	return false;
}

/* Segments that nobody may write hold nothing that their file does not. */
static int
drop_pages(struct dl_phdr_info *info, FL_UNUSED size_t size, FL_UNUSED void *arg)
{
	uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1, phdr = (uintptr_t)info->dlpi_phdr;

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + h->p_vaddr) & ~mask;
		uintptr_t end = info->dlpi_addr + h->p_vaddr + h->p_memsz;

		if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0 && !is_wanted(start, end))
			/* Of no consequence where it fails, as for the vdso. */
			madvise((char *)info->dlpi_phdr + (intptr_t)(start - phdr), end - start, MADV_DONTNEED);
	}
	return 0;
}

static void
on_settled(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, FL_UNUSED void *arg)
{
	malloc_trim(0);
	dl_iterate_phdr(drop_pages, NULL);
}

void
footprint_trim_soon(struct event_base *base)
{
	static const struct timeval soon = { .tv_usec = 100000 };
	static const struct timeval later = { .tv_sec = 5 }; /* libcurl has had the last of its timers, too */

	event_base_once(base, -1, EV_TIMEOUT, on_settled, NULL, &soon);
	event_base_once(base, -1, EV_TIMEOUT, on_settled, NULL, &later);
}
