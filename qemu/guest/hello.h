/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_HELLO_H
#define HMMDIFF_HELLO_H

#include <stddef.h>

/*
 * Writes what the host should know of this guest as one JSON object, with a 0 at the end:
 *
 *	protocol	PROTOCOL_VERSION
 *	release		of the kernel
 *	machine		"x86_64" or "aarch64"
 *	pageSize	bytes; programs are only run when it is 4096
 *	cpus		that the agent may use
 *	testCpu		the one that programs run on
 *	devices		minors of test_hmm that can be opened
 *	traceEvents	those of the protocol that this kernel has
 *	traceUnavailable	why OBSERVE_TRACE is refused; absent when it is not
 */
size_t hello_json(char *buffer, size_t size);

#endif
