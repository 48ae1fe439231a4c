/*
 * skip32 - a block cipher of 32 bits: it shuffles numbers without ever repeating one.
 *
 * Greg Rose's variant of Skipjack, as the original made app names with. No secret hangs on it.
 */
#ifndef CONTROLLER_SKIP32_H
#define CONTROLLER_SKIP32_H

#include <stdint.h>

#define SKIP32_KEY_LEN 10

uint32_t skip32_encrypt(const unsigned char key[SKIP32_KEY_LEN], uint32_t n);

#endif
