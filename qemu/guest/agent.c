// SPDX-License-Identifier: GPL-2.0-only
/*
 * hmmdiff's agent in the guest: runs programs (model/program.ts) on the kernel that it finds itself on.
 *
 *	agent hello			what this guest is, as JSON text
 *	agent run			programs on stdin, transcripts on stdout (protocol.h)
 *	agent run --port DEVICE		both on a virtio-serial port
 *	agent lifecycle ROUNDS		device memory taken away under live pages (lifecycle.h)
 *
 * Exit status: 0 when the host ended the session; 1 when the agent cannot work here, with the reason on stderr; 2 for
 * bad usage or a stream that makes no sense; 3 when the host is gone in the middle of something; 4 when processes
 * of a program that the agent failed on could not be killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "guard.h"
#include "hello.h"
#include "io.h"
#include "lifecycle.h"
#include "observe.h"
#include "page_scan.h"
#include "program.h"
#include "runner.h"
#include "shared.h"
#include "thp.h"
#include "together.h"
#include "status.h"
#include "trace.h"

enum status {
	STATUS_OK		= 0,
	STATUS_UNABLE		= 1,
	STATUS_NONSENSE		= 2,
	STATUS_HOST_GONE	= 3,
	STATUS_STUCK		= 4,
};

static int in = STDIN_FILENO;
static int out = STDOUT_FILENO;

static enum status unable(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	return STATUS_UNABLE;
}

/* Writes a frame of two parts. */
static enum status answer(enum frame_type type, uint32_t sequence, const void *head, size_t head_size,
			  const void *body, size_t body_size)
{
	struct frame_header header = {
		.magic = FRAME_MAGIC,
		.type = type,
		.sequence = sequence,
		.length = head_size + body_size,
	};
	struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ (void *)head, head_size },
		{ (void *)body, body_size },
	};

	return writev_full(out, parts, 3) ? STATUS_HOST_GONE : STATUS_OK;
}

static enum status answer_error(uint32_t sequence, const char *text)
{
	return answer(FRAME_ERROR, sequence, text, strlen(text), NULL, 0);
}

static enum status answer_hello(void)
{
	char text[1024];

	return answer(FRAME_HELLO, 0, text, hello_json(text, sizeof(text)), NULL, 0);
}

static enum status run_frame(uint32_t sequence, size_t length)
{
	const char *error = check_program(length);
	struct transcript_header header;
	enum status status;

	if (!error && sysconf(_SC_PAGESIZE) != PAGE_BYTES)
		error = "this kernel's pages are not of 4096 bytes";
	if (error)
		return answer_error(sequence, error);

	run_program(sequence, &header);
	if (!shared->control.error[0])
		return answer(FRAME_TRANSCRIPT, sequence, &header, sizeof(header),
			      shared->transcript, shared->control.used);
	status = answer_error(sequence, shared->control.error);
	/* Without a transcript, this is the one way left to say so. */
	return header.flags & TRANSCRIPT_STUCK ? STATUS_STUCK : status;
}

/* Reads and answers one frame. Sets `over` when the host has ended the session instead. */
static enum status serve(bool *over)
{
	struct frame_header header;
	ssize_t length = read_full(in, &header, sizeof(header));

	*over = length == 0;
	if (*over)
		return STATUS_OK;
	if (length != sizeof(header))
		return STATUS_HOST_GONE;
	if (header.magic != FRAME_MAGIC || header.type != FRAME_PROGRAM || header.reserved || !header.sequence ||
	    header.length > sizeof(program)) {
		answer_error(0, "not a program frame");
		return STATUS_NONSENSE;
	}
	if (read_full(in, &program, header.length) != (ssize_t)header.length)
		return STATUS_HOST_GONE;
	return run_frame(header.sequence, header.length);
}

static enum status run(void)
{
	enum status status;
	bool over = false;

	trace_open();
	status = answer_hello();
	while (status == STATUS_OK && !over)
		status = serve(&over);
	trace_close();
	return status;
}

/* Two agents would evict each other's device pages. The lock goes with the last process that was forked under it. */
static int lock_out_others(void)
{
	const int self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return self_fd < 0 ? -1 : flock(self_fd, LOCK_EX | LOCK_NB);
}

static enum status prepare_and_run(const char *port)
{
	if (lock_out_others())
		return unable("is another agent running?");
	if (port) {
		in = out = open(port, O_RDWR | O_CLOEXEC);
		if (in < 0)
			return unable(port);
	}
	/* A write to a host that is gone shall fail, not kill. */
	signal(SIGPIPE, SIG_IGN);
	if (guard_init())
		return unable("signal handlers");
	if (shared_init())
		return unable("shared memory");
	if (thp_init())
		return unable("transparent huge pages");
	if (observe_init())
		return unable("/proc/kpageflags, /proc/kpagecount");
	if (together_init(runner_cpu()))
		return unable("threads");
	touch_own_memory();
	return run();
}

static enum status usage(void)
{
	fputs("usage: agent hello | agent run [--port DEVICE] | agent lifecycle ROUNDS\n", stderr);
	return STATUS_NONSENSE;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (runner_init())
		return unable("CPU affinity");
	trace_probe();
	scan_probe();

	if (!strcmp(command, "hello") && argc == 2) {
		char text[1024];

		hello_json(text, sizeof(text));
		return puts(text) < 0 || fflush(stdout) ? unable("stdout") : STATUS_OK;
	}
	if (!strcmp(command, "run") && argc == 2)
		return prepare_and_run(NULL);
	if (!strcmp(command, "run") && argc == 4 && !strcmp(argv[2], "--port"))
		return prepare_and_run(argv[3]);
	if (!strcmp(command, "lifecycle") && argc == 3)
		return lifecycle(strtoul(argv[2], NULL, 10)) ? STATUS_UNABLE : STATUS_OK;
	return usage();
}
