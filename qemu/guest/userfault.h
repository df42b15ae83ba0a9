/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The userfaultfd of a process of a program. It has UFFD_FEATURE_SIGBUS: an access that it would be asked about is
 * refused. Or it has a handler: a thread that answers each message with a zero page, or takes the protection of the
 * page away, and counts them. A child has none.
 */
#ifndef HMMDIFF_USERFAULT_H
#define HMMDIFF_USERFAULT_H

#include <stddef.h>

#include "protocol.h"

/* They return 0, -1 with errno. */
int userfault_open(enum userfault_mode mode);
int userfault_register(uint64_t start, size_t size, unsigned int kind /* enum userfault_kind */);
int userfault_unregister(uint64_t start, size_t size);
int userfault_protect(uint64_t start, size_t size, _Bool protect);
int userfault_zeropage(uint64_t start, size_t size);
int userfault_copy(uint64_t start, const void *from, size_t size, _Bool protect);
int userfault_move(uint64_t from, uint64_t to, size_t size, _Bool holes);

#endif
