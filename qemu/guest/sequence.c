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
	c->step += op == OP_TOGETHER ? 1 + program.steps[c->step].count : 1;
}

/* Sets the turn to the actor of the current step, or to the first process to leave when there are no more steps. */
static void turn_to_actor(void)
{
	struct control *c = &shared->control;

	if (c->step == program.header.steps) {
		c->phase = PHASE_END;
		c->turn = next_alive(0);
	} else {
		c->phase = PHASE_ACT;
		c->turn = program.steps[c->step].by;
		begin_record();
	}
}

/* Sets the turn to the first process from `process` on that has to observe itself, or goes on to the next step. */
static void turn_to_observer(unsigned int process)
{
	struct control *c = &shared->control;
	const unsigned int next = next_alive(process);

	if (next != NOBODY && program.header.observe & OBSERVE_IN_PROCESS) {
		c->phase = PHASE_OBSERVE;
		c->turn = next;
	} else {
		end_record();
		turn_to_actor();
	}
}

/* The process of this step does not exist, since the fork that was to make it failed. */
static void skip_missing_actors(void)
{
	struct control *c = &shared->control;

	while (c->phase == PHASE_ACT && !is_alive(c->turn)) {
		current_record()->outcome = OUTCOME_ERRNO;
		current_record()->code = ESRCH;
		turn_to_observer(0);
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
		turn_to_observer(0);
		break;
	case PHASE_TOGETHER:
		break;
	case PHASE_OBSERVE:
		observe_self();
		turn_to_observer(self.number + 1);
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
		turn_to_observer(0);
		skip_missing_actors();
	}
	atomic_fetch_add(&c->progress, 1);
	if (c->turn != NOBODY)
		wake(c->turn);
}
