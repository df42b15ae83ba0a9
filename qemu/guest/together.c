// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device_ops.h"
#include "ops.h"
#include "process.h"
#include "program.h"
#include "runner.h"
#include "sequence.h"
#include "shared.h"
#include "together.h"

/* PTHREAD_STACK_MIN of aarch64, whose vector state may be large. */
#define STACK_BYTES	(128 * 1024)

#define OVERTIME_NS	1000000000ull

struct actor {
	unsigned int	number;
	unsigned int	step;		/* OP_TOGETHER; its parts are behind it */
	uint64_t	random;
	unsigned int	stack;
	pthread_t	thread;
	bool		finished;
};

_Thread_local struct part *own_part;

/*
 * Of threads. Private, since a process that a thread forks goes on on a copy of it: that one is taken from then on. In
 * bss, which is touched beforehand, so that threads change no RSS.
 */
static char stacks[MAX_ACTORS][STACK_BYTES] __attribute__((aligned(4096)));
static _Thread_local unsigned int own_stack = MAX_ACTORS;
static struct actor actors[MAX_ACTORS];
static unsigned int home_cpu;

static struct together *together(void)
{
	return &shared->control.together;
}

static void pin_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity to CPU %u", cpu);
}

/* The first actor stays where the process is. */
static unsigned int cpu_of(unsigned int actor)
{
	return (home_cpu + actor) % runner_cpus();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t next_random(struct actor *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return a->random;
}

/* A wait of up to `apart` ms, as likely to be within each of eight powers of two: races have windows of all sizes. */
static void pause_before_part(struct actor *a, unsigned int apart)
{
	uint64_t most = apart * 1000000ull, until;

	if (!apart)
		return;
	most >>= next_random(a) % 8;
	until = now_ns() + most / 2 + next_random(a) % (most / 2);
	while (now_ns() < until)
		;
}

static void spin_until_all_are_here(unsigned int all)
{
	atomic_uint *arrived = &together()->arrived;

	atomic_fetch_add(arrived, 1);
	while (atomic_load(arrived) < all)
		if (all > runner_cpus())
			sched_yield();
}

/* In a process that a part has forked: all else of it is in another process. */
static void become_single(void)
{
	own_part = NULL;
	pin_to(home_cpu);
	sequence_follow();
}

static void run_part(struct actor *a, unsigned int part, unsigned int round)
{
	const unsigned int index = a->step + 1 + part;
	struct part *p = &shared->parts[part];
	const uint32_t lost = p->record.processes;

	p->record = (struct step_record){ .step = part, .processes = lost, .events = round + 1 };
	p->round = round;
	own_part = p;
	if (run_step(index))
		become_single();
	own_part = NULL;
}

/* What the parts of a round need, and the round before has taken from them. */
static void prepare_round(struct actor *a)
{
	const struct program_step *s = &program.steps[a->step];

	for (unsigned int part = 0; part < s->count; part++) {
		const struct program_step *p = &s[1 + part];

		if (p->to_first != a->number)
			continue;
		if (p->op == OP_CLOSE)
			reopen_device(p->argument);
		if (p->op == OP_FORK)
			end_process(p->argument);
	}
}

static void run_rounds(struct actor *a)
{
	const struct program_step *s = &program.steps[a->step];
	const unsigned int rounds = TOGETHER_ROUNDS(s->option);
	unsigned int round = 0;
	uint64_t until = 0;
	bool over;

	do {
		if (round > 0)
			prepare_round(a);
		for (unsigned int part = 0; part < s->count; part++) {
			if (program.steps[a->step + 1 + part].to_first != a->number)
				continue;
			pause_before_part(a, TOGETHER_APART(s->option));
			run_part(a, part, round);
		}
		round++;
		if (round == rounds) {
			atomic_fetch_sub(&together()->behind, 1);
			until = now_ns() + OVERTIME_NS;
		}
		atomic_fetch_add(&shared->control.progress, 1);
		/*
		 * A fast actor goes on until the slowest is done, so that none is ever alone; but not for ever, since an access
		 * that needs several faults in a row may not get them while another migrates the page.
		 */
		over = round >= rounds && (rounds == 1 || atomic_load(&together()->behind) == 0 || now_ns() >= until);
	} while (!over);
}

static void *run_actor(void *argument)
{
	struct actor *a = argument;

	own_stack = a->stack;
	pin_to(cpu_of(a->number));
	spin_until_all_are_here(program.steps[a->step].argument);
	run_rounds(a);
	/* What this CPU's batches hold is not known to any other. */
	drain_lru();
	a->finished = true;
	return NULL;
}

static void start_thread(struct actor *a, unsigned int stack)
{
	pthread_attr_t attributes;

	a->stack = stack;
	errno = pthread_attr_init(&attributes);
	if (!errno)
		errno = pthread_attr_setstack(&attributes, stacks[stack], STACK_BYTES);
	if (!errno)
		errno = pthread_create(&a->thread, &attributes, run_actor, a);
	if (errno)
		fail("pthread_create");
}

static unsigned int process_of_actor(unsigned int step, unsigned int actor)
{
	const struct program_step *s = &program.steps[step];

	for (unsigned int part = 0; part < s->count; part++)
		if (s[1 + part].to_first == actor)
			return s[1 + part].by;
	return NOBODY;
}

/* All actors that are of this process. */
static void run_own_actors(unsigned int step)
{
	const unsigned int all = program.steps[step].argument;
	struct actor *first = NULL;
	unsigned int stack = 0;

	for (unsigned int n = 0; n < all; n++) {
		struct actor *a = &actors[n];

		if (process_of_actor(step, n) != self.number)
			continue;
		*a = (struct actor){ .number = n, .step = step, .random = now_ns() * 2654435761u + n + 1,
				     .stack = own_stack };
		if (!first) {
			first = a;
			continue;
		}
		stack += stack == own_stack;
		start_thread(a, stack++);
	}
	if (!first)
		return;
	run_actor(first);
	for (unsigned int n = first->number + 1; n < all; n++) {
		struct actor *a = &actors[n];

		if (process_of_actor(step, n) != self.number)
			continue;
		pthread_join(a->thread, NULL);
		/* The kernel has ended it in the middle of a part. */
		if (!a->finished)
			kill(getpid(), SIGKILL);
	}
	pin_to(home_cpu);
}

static bool all_live(unsigned int step)
{
	for (unsigned int n = 0; n < program.steps[step].argument; n++)
		if (!is_alive(process_of_actor(step, n)))
			return false;
	return true;
}

static void set_up(unsigned int step)
{
	const struct program_step *s = &program.steps[step];
	struct together *t = together();

	memset(t, 0, sizeof(*t));
	t->step = step;
	t->behind = s->argument;
	for (unsigned int part = 0; part < s->count; part++) {
		struct part *p = &shared->parts[part];
		unsigned int place = 0;

		for (unsigned int before = 0; before < part; before++)
			place += s[1 + before].to_first == s[1 + part].to_first;
		p->record = (struct step_record){ .step = part };
		p->token_step = part_token_step(shared->control.steps, s[1 + part].to_first, place);
	}
}

static void append_parts(unsigned int parts)
{
	struct step_record *record = current_record();

	record->flags |= STEP_HAS_PARTS;
	record->data = parts;
	for (unsigned int part = 0; part < parts; part++) {
		const struct part *p = &shared->parts[part];
		const size_t data = p->record.flags & STEP_HAS_DATA ? p->record.data * sizeof(p->data[0]) : 0;

		memcpy(transcript_append(sizeof(p->record)), &p->record, sizeof(p->record));
		if (data)
			memcpy(transcript_append(data), p->data, data);
	}
}

void play_together(unsigned int step)
{
	struct control *c = &shared->control;
	unsigned int others = 0, left;

	if (!all_live(step)) {
		current_record()->outcome = OUTCOME_ERRNO;
		current_record()->code = ESRCH;
		return;
	}
	drain_lru();
	set_up(step);
	for (unsigned int p = 0; p < MAX_PROCESSES; p++)
		for (unsigned int n = 0; p != self.number && n < program.steps[step].argument; n++)
			if (process_of_actor(step, n) == p)
				others |= 1u << p;
	atomic_store(&together()->playing, __builtin_popcount(others));
	c->phase = PHASE_TOGETHER;
	for (unsigned int p = 0; p < MAX_PROCESSES; p++)
		if (others & 1u << p)
			wake(p);
	run_own_actors(step);
	while ((left = atomic_load(&together()->playing)))
		syscall(SYS_futex, &together()->playing, FUTEX_WAIT, left, NULL, NULL, 0);
	append_parts(program.steps[step].count);
}

void take_part(void)
{
	run_own_actors(together()->step);
	atomic_fetch_sub(&together()->playing, 1);
	syscall(SYS_futex, &together()->playing, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void *do_nothing(void *argument)
{
	return argument;
}

int together_init(unsigned int cpu)
{
	pthread_attr_t attributes;
	pthread_t thread;

	home_cpu = cpu;
	errno = pthread_attr_init(&attributes);
	if (!errno)
		errno = pthread_attr_setstack(&attributes, stacks[0], STACK_BYTES);
	if (!errno)
		errno = pthread_create(&thread, &attributes, do_nothing, NULL);
	if (!errno)
		errno = pthread_join(thread, NULL);
	return errno ? -1 : 0;
}
