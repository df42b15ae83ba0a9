/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_PAGE_SCAN_H
#define HMMDIFF_PAGE_SCAN_H

#include <stdint.h>

/* Finds out which categories this kernel's PAGEMAP_SCAN knows. */
void scan_probe(void);

/* The categories that PAGEMAP_SCAN knows (PAGE_IS_* of linux/fs.h); 0: there is no PAGEMAP_SCAN. */
extern uint64_t scan_categories;

/* How many pages from `start` to `end` are mapped that are not anonymous. A failure ends the process. */
uint32_t count_file_pages(int pagemap, uintptr_t start, uintptr_t end);

/* Asks PAGEMAP_SCAN for the ranges of equal pages of all regions at once, into shared->scan. */
void scan_regions(int pagemap);

/* Appends what it said of a region. Returns how many ranges. */
unsigned int append_scan(unsigned int region);

/*
 * Appends what mincore(2) says of each page, MINCORE_UNMAPPED where it fails. Of pages that scan_regions() found in no
 * mapping it is asked for the first of each hole only: a huge region without a mapping would cost a call a page.
 */
void append_mincore(unsigned int region, unsigned int pages);

#endif
