// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "announce.h"
#include "meminfo.h"
#include "observe.h"
#include "ops.h"
#include "process.h"
#include "program.h"
#include "sequence.h"
#include "shared.h"
#include "together.h"
#include "trace.h"

static unsigned int traced_cpu;

static void begin_record(void)
{
	struct control *c = &shared->control;
	struct step_record *record;

	c->record = c->used;
	atomic_store(&c->messages, 0);
	record = transcript_append(sizeof(*record));
	*record = (struct step_record){ .step = c->steps };
}

static uint32_t next_step(void)
{
	const uint32_t step = shared->control.step;

	return step + 1 + (program.steps[step].op == OP_TOGETHER ? program.steps[step].count : 0);
}

static void end_record(void)
{
	struct control *c = &shared->control;
	const uint8_t op = program.steps[c->step].op;

	current_record()->messages = atomic_load(&c->messages);
	if (gauges_wanted()) {
		if (append_gauges(c->gauges))
			note_failure("/proc/meminfo");
		current_record()->flags |= STEP_HAS_MEMINFO;
	}
	if (program.header.observe & OBSERVE_TRACE)
		current_record()->events = op == OP_TOGETHER ? trace_append_all() : trace_append(traced_cpu);
	c->committed = c->used;
	c->steps++;
	c->step = next_step();
}

/* Sets the turn to the actor of the current step, or to the first process to leave when there are no more steps. */
static void turn_to_actor(void)
{
	struct control *c = &shared->control;

	if (c->step == program.header.steps) {
		c->phase = PHASE_END;
		c->turn = first_alive();
	} else {
		c->phase = PHASE_ACT;
		c->turn = program.steps[c->step].by;
		begin_record();
	}
}

/*
 * A process that waits for its turn again costs two switches, which is why who is there already comes first and who makes the
 * next step comes last (model/observe.ts, observers).
 */
static unsigned int next_observer(void)
{
	const struct control *c = &shared->control;
	const uint32_t left = c->observers & c->alive;
	const uint32_t next = next_step();
	const uint32_t last = next < program.header.steps ? 1u << program.steps[next].by : 0;

	if (!left)
		return NOBODY;
	if (left & 1u << c->turn)
		return c->turn;
	return __builtin_ctz(left & ~last ? left & ~last : left);
}

/* Sets the turn to the next process that has to observe itself, or goes on to the next step. */
static void turn_to_observer(void)
{
	struct control *c = &shared->control;
	const unsigned int next = next_observer();

	if (next != NOBODY) {
		c->phase = PHASE_OBSERVE;
		c->turn = next;
	} else {
		end_record();
		turn_to_actor();
	}
}

/* What the step has left is now looked at by each process. */
static void turn_to_observers(void)
{
	struct control *c = &shared->control;

	c->observers = program.header.observe & OBSERVE_IN_PROCESS ? c->alive : 0;
	/* Once for all, which run on the same CPU. */
	if (c->observers && c->settles)
		drain_lru();
	turn_to_observer();
}

/* The process of this step does not exist, since the fork that was to make it failed. */
static void skip_missing_actors(void)
{
	struct control *c = &shared->control;

	while (c->phase == PHASE_ACT && !is_alive(c->turn)) {
		current_record()->outcome = OUTCOME_ERRNO;
		current_record()->code = ESRCH;
		turn_to_observers();
	}
}

/* Does what the turn of this process is about, and sets the next turn. */
static void take_turn(void)
{
	struct control *c = &shared->control;

	switch ((enum phase)c->phase) {
	case PHASE_ACT:
		if (program.header.flags & PROGRAM_ANNOUNCE)
			announce_step(c->step);
		if (run_step(c->step))
			return;		/* the child; its parent sets the turn */
		turn_to_observers();
		break;
	case PHASE_TOGETHER:
		break;
	case PHASE_OBSERVE:
		observe_self();
		c->observers &= ~(1u << self.number);
		turn_to_observer();
		break;
	case PHASE_END:
		if (program.header.flags & PROGRAM_ANNOUNCE)
			announce_end(self.number);
		c->leaving = self.number;
		_exit(0);
	}
	skip_missing_actors();
	atomic_fetch_add(&c->progress, 1);
}

void wake(unsigned int process)
{
	atomic_uint *go = &shared->control.go[process];

	atomic_store(go, 1);
	syscall(SYS_futex, go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wait_for_turn(void)
{
	atomic_uint *go = &shared->control.go[self.number];

	while (!atomic_exchange(go, 0))
		syscall(SYS_futex, go, FUTEX_WAIT, 0, NULL, NULL, 0);
}

void sequence_start(unsigned int cpu)
{
	traced_cpu = cpu;
	shared->control.alive = 1;
	turn_to_actor();
}

void sequence_play(void)
{
	struct control *c = &shared->control;

	for (;;) {
		bool forked;

		if (c->phase == PHASE_TOGETHER) {
			/* The turn is another's. */
			take_part();
			wait_for_turn();
			continue;
		}

		/* Only the holder of the turn may look at it, so this process reads it before it hands it on. */
		do {
			const unsigned int number = self.number;

			take_turn();
			forked = self.number != number;
		} while (!forked && c->turn == self.number);

		if (!forked)
			wake(c->turn);
		wait_for_turn();
	}
}

void sequence_follow(void)
{
	wait_for_turn();
	sequence_play();
}

void sequence_after_exit(void)
{
	struct control *c = &shared->control;

	c->leaving = NOBODY;
	if (c->phase == PHASE_END) {
		turn_to_actor();
	} else {
		turn_to_observers();
		skip_missing_actors();
	}
	atomic_fetch_add(&c->progress, 1);
	if (c->turn != NOBODY)
		wake(c->turn);
}
