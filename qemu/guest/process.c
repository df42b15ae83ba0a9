// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "observe.h"
#include "process.h"
#include "program.h"
#include "shared.h"

/*
 * Descriptors that this agent opens to look at itself are numbered from here: below them, those of devices are
 * numbered as if there were no others, and the table of descriptors needs not grow (NR_OPEN_DEFAULT).
 */
#define FIRST_OWN_DESCRIPTOR	48

struct process self;

int keep_out_of_the_way(int low)
{
	const int fd = fcntl(low, F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR);

	if (fd < 0)
		fail("dup");
	close(low);
	return fd;
}

int open_own(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("%s", path);
	return keep_out_of_the_way(fd);
}

pid_t spawn(unsigned int number, unsigned long flags)
{
	/*
	 * The raw call: it stores the pid before the child can run, and runs no handlers. The third argument is the
	 * place for the pid on all architectures.
	 */
	return syscall(SYS_clone, flags | CLONE_PARENT_SETTID | SIGCHLD, NULL, &shared->control.pid[number],
		       NULL, NULL);
}

void end_process(unsigned int number)
{
	pid_t *pid = &shared->control.pid[number];
	struct pollfd ended = { .events = POLLIN };

	if (*pid <= 0)
		return;
	ended.fd = syscall(SYS_pidfd_open, *pid, 0);
	if (ended.fd < 0)
		fail("pidfd_open");
	/* The agent, whose child it is, knows it no more: this end is none of the program. */
	*pid = 0;
	if (syscall(SYS_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0))
		fail("pidfd_send_signal");
	while (poll(&ended, 1, -1) != 1)
		;
	close(ended.fd);
}

static void become(unsigned int number)
{
	struct timespec now;

	/* The pages of the clock count as of a file: they are there from the start, whatever a step needs them for. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (program.header.observe & OBSERVE_IN_PROCESS)
		shared_map();
	self.number = number;
	self.gup_test = -1;
	self.userfault = -1;
	self.pagemap = -1;
	self.status = -1;
	self.statm = -1;
	self.smaps = -1;
	self.rollup = -1;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail("prctl(PR_SET_PDEATHSIG)");
}

void become_first_process(void)
{
	for (unsigned int d = 0; d < MAX_DEVICES; d++)
		self.device[d] = -1;
	become(0);
}

void become_child(unsigned int number)
{
	/* What the parent pins is the parent's: its last descriptor of gup_test gives it up. So is its userfaultfd. */
	const int parents[] = {
		self.pagemap, self.status, self.statm, self.smaps, self.rollup, self.gup_test, self.userfault,
	};

	for (unsigned int i = 0; i < sizeof(parents) / sizeof(parents[0]); i++)
		if (parents[i] >= 0)
			close(parents[i]);
	for (unsigned int d = 0; d < MAX_DEVICES; d++)
		self.own[d] = false;
	become(number);
}
