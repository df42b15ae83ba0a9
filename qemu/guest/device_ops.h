/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_DEVICE_OPS_H
#define HMMDIFF_DEVICE_OPS_H

#include "protocol.h"

/* Runs a step of an operation on a device, as run_step() does. */
void run_device_step(const struct program_step *s);

/* Opens a device that this process has closed, beside any step. */
void reopen_device(unsigned int device);

#endif
