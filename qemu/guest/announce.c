// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel log is the one channel whose last words are seen before a panic: a transcript on its way through a
 * network stack is lost with the guest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "announce.h"
#include "io.h"
#include "program.h"
#include "shared.h"

static int kmsg = -1;

int announce_init(void)
{
	if (kmsg >= 0)
		return 0;
	/*
	 * Otherwise ten lines in five seconds are all that pass. The newline is part of what the kernel checks. Refused
	 * when the command line has set it, which is no reason to fail.
	 */
	(void)write_file("/proc/sys/kernel/printk_devkmsg", "on\n");
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	return kmsg < 0 ? -1 : 0;
}

static void announce(const char *what, unsigned int by)
{
	char line[96];
	/* 5: KERN_NOTICE, which the default console log level shows. */
	const int length = snprintf(line, sizeof(line), "<5>hmmdiff: program %u step %u %s by %u\n",
				    shared->control.sequence, shared->control.steps, what, by);

	if (write(kmsg, line, length) != length)
		note_failure("/dev/kmsg");
}

void announce_step(unsigned int step)
{
	char op[16];

	snprintf(op, sizeof(op), "op %u", program.steps[step].op);
	announce(op, program.steps[step].by);
}

void announce_end(unsigned int process)
{
	announce("end", process);
}
