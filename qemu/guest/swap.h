/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_SWAP_H
#define HMMDIFF_SWAP_H

/* Makes the guest's swap device: zram with the signature of swap space, and no readahead. Returns 0, -1 with errno. */
int swap_prepare(void);

/* swapon(2) and swapoff(2) of it. */
int swap_on(void);
int swap_off(void);

#endif
