// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's side of a running program: it waits for the ends of its processes, and watches that there is progress.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "announce.h"
#include "files.h"
#include "hung.h"
#include "ksm.h"
#include "meminfo.h"
#include "page_scan.h"
#include "process.h"
#include "program.h"
#include "renew.h"
#include "runner.h"
#include "sequence.h"
#include "shared.h"
#include "status.h"
#include "swap.h"
#include "trace.h"
#include "vm_events.h"

/* How long killed processes may take to go, at most; no longer than a step. The eviction of a device takes some 10 ms. */
#define KILL_GRACE_MS	5000

static unsigned int test_cpu;
static unsigned int cpu_count;
static sigset_t child_signal;

int runner_init(void)
{
	cpu_set_t set;

	sigemptyset(&child_signal);
	sigaddset(&child_signal, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child_signal, NULL))
		return -1;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	cpu_count = CPU_COUNT(&set);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			test_cpu = cpu;
	CPU_ZERO(&set);
	CPU_SET(test_cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

unsigned int runner_cpu(void)
{
	return test_cpu;
}

unsigned int runner_cpus(void)
{
	return cpu_count;
}

/* Waits until a child has ended, for `ms` at most. */
static void wait_for_child(unsigned int ms)
{
	const struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	/* The time is up, or some other signal came: the caller looks at the clock and at its children anyway. */
	(void)sigtimedwait(&child_signal, NULL, &limit);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static unsigned int process_of(pid_t pid)
{
	unsigned int process = 0;

	while (process < MAX_PROCESSES && shared->control.pid[process] != pid)
		process++;
	return process;
}

/* Takes note of the end of a process. Returns false when the program cannot go on. */
static bool note_end(unsigned int process, int status, struct transcript_header *header)
{
	struct control *c = &shared->control;

	c->alive &= ~(1u << process);
	c->pid[process] = 0;
	if (WIFSIGNALED(status)) {
		header->end = END_CRASHED;
		header->process = process;
		header->signal = WTERMSIG(status);
		header->step = c->steps;
		return false;
	}
	if (WEXITSTATUS(status) || c->leaving != process) {
		errno = 0;
		note_failure("process %u ended with status %d in step %u", process, WEXITSTATUS(status), c->steps);
		return false;
	}
	sequence_after_exit();
	return true;
}

/* Reaps what has ended. Returns false when the program cannot go on. */
static bool reap(struct transcript_header *header)
{
	bool go_on = true;
	int status;
	pid_t pid;

	while (go_on && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		const unsigned int process = process_of(pid);

		/* Others are left from a program that was hung. */
		if (process < MAX_PROCESSES)
			go_on = note_end(process, status, header);
	}
	return go_on;
}

/* Kills what is left of the program. Returns false when something stays. */
static bool kill_processes(void)
{
	const unsigned int grace = program.header.limit_ms;
	const uint64_t limit = now_ms() + (grace < KILL_GRACE_MS ? grace : KILL_GRACE_MS);
	unsigned int left;

	for (unsigned int p = 0; p < MAX_PROCESSES; p++)
		if (shared->control.pid[p] > 0)
			kill(shared->control.pid[p], SIGKILL);
	for (;;) {
		left = 0;
		for (unsigned int p = 0; p < MAX_PROCESSES; p++) {
			pid_t *pid = &shared->control.pid[p];

			if (*pid > 0 && waitpid(*pid, NULL, WNOHANG) != 0)
				*pid = 0;
			left += *pid > 0;
		}
		if (!left || now_ms() >= limit)
			return !left;
		wait_for_child(limit - now_ms());
	}
}

/* Until the program is over, one way or the other. */
static void supervise(struct transcript_header *header)
{
	struct control *c = &shared->control;
	const unsigned int limit = program.header.limit_ms;
	/* Progress is noticed when a wait is over: "hung" comes after limit to five quarters of it. */
	const unsigned int longest = limit / 4 + 1;
	unsigned int progress = atomic_load(&c->progress);
	uint64_t since = now_ms();

	while (c->turn != NOBODY && reap(header)) {
		const unsigned int latest = atomic_load(&c->progress);
		const uint64_t now = now_ms();

		if (latest != progress) {
			progress = latest;
			since = now;
		} else if (now - since >= limit) {
			header->end = END_HUNG;
			header->step = c->steps;
			return;
		}
		if (c->turn != NOBODY)
			wait_for_child(longest);
	}
}

static bool has_step(enum step_op op)
{
	for (unsigned int i = 0; i < program.header.steps; i++)
		if (program.steps[i].op == op)
			return true;
	return false;
}

/* Checks what the program needs of this guest and has not been looked at yet. */
static bool prepare(void)
{
	errno = 0;
	if (program.header.observe & OBSERVE_TRACE) {
		if (trace_unavailable) {
			note_failure("no trace events: %s", trace_unavailable);
			return false;
		}
		trace_discard();
	}
	if (program.header.observe & OBSERVE_SCAN && !scan_categories) {
		note_failure("no PAGEMAP_SCAN");
		return false;
	}
	if (has_step(OP_SWAPON) && swap_prepare()) {
		note_failure("the swap device");
		return false;
	}
	if (reserve_huge_pages()) {
		note_failure("huge pages");
		return false;
	}
	if (program.header.flags & PROGRAM_ANNOUNCE && announce_init()) {
		note_failure("/dev/kmsg");
		return false;
	}
	return true;
}

static bool has_huge_region(void)
{
	for (unsigned int r = 0; r < program.header.regions; r++)
		if (is_huge(program.header.pages[r]))
			return true;
	return false;
}

/*
 * A program with huge regions finds devices without memory for folios of order 9, and leaves none behind in those that
 * it opened. What others did to the devices before this agent is not known.
 */
static bool renew(uint32_t devices)
{
	errno = 0;
	if (renew_devices(devices)) {
		note_failure("making the devices' memory anew");
		return false;
	}
	return true;
}

static bool has_devices(void)
{
	return !access("/dev/hmm_dmirror0", F_OK) && !access("/dev/hmm_dmirror1", F_OK);
}

/* Whether the agent itself may move counters for this program, before or behind it: with swap, huge pages, KSM or RELEASE. */
static bool agent_moves_counters(void)
{
	const struct control *c = &shared->control;

	return has_step(OP_SWAPON) || has_huge_region() || c->merges || c->released;
}

static void forget_counters(void)
{
	forget_vm_events();
	forget_gauges();
}

void run_program(uint32_t sequence, struct transcript_header *header)
{
	static bool renewed;
	struct control *c = &shared->control;
	const bool huge = has_huge_region() && has_devices();
	const bool counts = program.header.observe & OBSERVE_VMSTAT;
	const bool gauges = program.header.observe & OBSERVE_MEMINFO;
	uint32_t left;
	pid_t pid;

	*header = (struct transcript_header){ 0 };
	shared_reset(sequence);
	if (agent_moves_counters())
		forget_counters();
	c->anonymous = !has_step(OP_SWAPON) && !has_files();
	if (huge && !renewed && !renew(PRIVATE_DEVICES))
		return;
	renewed = renewed || huge;
	if (!prepare())
		return;

	if (counts && begin_vm_events()) {
		note_failure("/proc/vmstat");
		return;
	}
	if (gauges && begin_gauges(c->gauges)) {
		note_failure("/proc/meminfo");
		return;
	}
	sequence_start(test_cpu);
	pid = spawn(0, 0);
	if (pid < 0) {
		note_failure("fork");
		return;
	}
	if (pid == 0) {
		become_first_process();
		files_make();
		if (program.header.observe & OBSERVE_STATUS)
			c->base = read_base();
		sequence_play();
	}
	supervise(header);

	/* A step that was begun and not completed is left out. */
	c->used = c->committed;
	if (header->end == END_HUNG)
		header->stacks = append_stacks();
	if (!kill_processes())
		header->flags |= TRANSCRIPT_STUCK;
	if (program.header.observe & OBSERVE_TRACE)
		header->final_events = trace_append_all();
	if (counts)
		append_vm_events(header);
	if (gauges && header->end == END_DONE) {
		if (end_gauges(c->gauges))
			note_failure("/proc/meminfo");
		header->flags |= TRANSCRIPT_MEMINFO;
	}
	errno = 0;
	if (return_huge_pages())
		note_failure("giving huge pages back");
	header->steps = c->steps;
	header->stray_events = c->stray_events;
	header->lost_events = c->lost_events;
	header->base = c->base;
	if (c->merges && stop_ksm())
		note_failure("taking back what ksmd merged");
	/* It is off if the program has seen to that. */
	if (has_step(OP_SWAPON))
		swap_off();
	left = c->released | (huge ? c->opened & PRIVATE_DEVICES : 0);
	if (left && !(header->flags & TRANSCRIPT_STUCK))
		renew(left);
	if (agent_moves_counters() || header->end != END_DONE || header->flags & TRANSCRIPT_STUCK)
		forget_counters();
	if (!counts)
		forget_vm_events();
	if (!gauges)
		forget_gauges();
}
