/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_RELOAD_H
#define HMMDIFF_RELOAD_H

/* Unloads test_hmm. Returns 0, -1 with errno: EAGAIN while somebody has a device open. */
int unload_test_hmm(void);
/* Loads it as it was loaded before unload_test_hmm(), and says so in the kernel log. Returns 0, -1 with errno. */
int load_test_hmm(void);

#endif
