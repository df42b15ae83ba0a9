/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_PIN_H
#define HMMDIFF_PIN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Long-term pins of this process, through CONFIG_GUP_TEST's file in debugfs: pin_pages() pins [start, start + size) for
 * writing, unpin_pages() gives up what it pinned. Return 0, -1 with errno.
 */
int pin_pages(uint64_t start, size_t size);
int unpin_pages(void);

#endif
