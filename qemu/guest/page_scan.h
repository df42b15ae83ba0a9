/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_PAGE_SCAN_H
#define HMMDIFF_PAGE_SCAN_H

#include <stdint.h>

/* Finds out which categories this kernel's PAGEMAP_SCAN knows. */
void scan_probe(void);

/* The categories that PAGEMAP_SCAN knows (PAGE_IS_* of linux/fs.h); 0: there is no PAGEMAP_SCAN. */
extern uint64_t scan_categories;

/* Appends what PAGEMAP_SCAN says of a region in ranges of equal pages. Returns how many. */
unsigned int append_scan(int pagemap, unsigned int region, unsigned int pages);

/* Appends what mincore(2) says of each page, MINCORE_UNMAPPED where it fails. */
void append_mincore(unsigned int region, unsigned int pages);

#endif
