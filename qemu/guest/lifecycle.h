/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_LIFECYCLE_H
#define HMMDIFF_LIFECYCLE_H

/*
 * Runs `rounds` rounds in which the memory of both private devices is taken away, by RELEASE and by the last close in
 * turn, while pages of every kind are on it. Says on stdout what went wrong.
 *
 * Returns the number of checks that failed.
 */
unsigned int lifecycle(unsigned int rounds);

#endif
