// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <unistd.h>

#include "guard.h"

/* Large enough for the vector state of any CPU that QEMU offers; only touched when a signal comes. */
#define SIGNAL_STACK	65536

_Thread_local struct guard guard;

static char signal_stack[SIGNAL_STACK];

static void on_fault(int number, siginfo_t *info, void *context)
{
	uint64_t address = (uintptr_t)info->si_addr;

	(void)context;
	/* si_code > 0: by the kernel for an access, not sent by someone. */
	if (info->si_code > 0 && address >= guard.start && address < guard.end) {
		guard.address = address;
		guard.signal = number;
		guard_off();
		siglongjmp(guard.back, 1);
	}
	/* The access is made again on return, and then kills. */
	signal(number, SIG_DFL);
	/* Not raise(): its idea of our thread id is that of the process that we were cloned from. */
	if (info->si_code <= 0)
		kill(getpid(), number);
}

int guard_init(void)
{
	const stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	const struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};

	if (sigaltstack(&stack, NULL))
		return -1;
	if (sigaction(SIGSEGV, &action, NULL))
		return -1;
	return sigaction(SIGBUS, &action, NULL);
}
