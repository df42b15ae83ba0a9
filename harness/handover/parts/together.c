// SPDX-License-Identifier: GPL-2.0-only

//---
/* Who acts at the same time: each on a CPU of its own, as far as there are enough. */
struct actor {
	void		(*act)(unsigned int round);
	int		process;	/* a further actor of a process is a thread of it */
};

struct together {
	unsigned int		actors;
	unsigned int		rounds;
	const struct actor	*actor;
};

static const struct together *playing;

//---
/* A process that a thread has forked goes on on a copy of the thread's stack. */
static char stacks[ACTORS + 1][256 * 1024] __attribute__((aligned(PAGE)));
static _Thread_local unsigned int own_stack = ACTORS + 1;

static void start_thread(pthread_t *thread, unsigned int stack, void *(*run)(void *), unsigned int number)
{
	pthread_attr_t attributes;

	if (pthread_attr_init(&attributes) ||
	    pthread_attr_setstack(&attributes, stacks[stack], sizeof(stacks[stack])) ||
	    pthread_create(thread, &attributes, run, (void *)(uintptr_t)number))
		cannot("no thread");
}

//---
/* In a process that an actor has forked. */
static void be_alone(void)
{
	pin_to(test_cpu);
}

//---
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

//---
/* A wait of up to so many milliseconds, as likely to be within each of eight powers of two. */
static void pause_before_part(unsigned int apart)
{
	static _Thread_local uint64_t random;
	uint64_t most = apart * 1000000ull, until = now_ns();

	if (!random)
		random = until * 2654435761u + acting + 1;
	random = random * 6364136223846793005ull + 1442695040888963407ull;
	most >>= random >> 61;
	until += most / 2 + (random >> 16) % (most / 2 + 1);
	while (now_ns() < until)
		;
}

//---
static void *run_actor(void *argument)
{
	const unsigned int number = (uintptr_t)argument, online = sysconf(_SC_NPROCESSORS_ONLN);
	const struct together *t = playing;
	unsigned int round = 0;
	uint64_t until = 0;

	acting = number;
	pin_to((test_cpu + number) % online);
	atomic_fetch_add(&shared->arrived, 1);
	while (atomic_load(&shared->arrived) < t->actors)
		if (t->actors > online)
			sched_yield();
	/*
	 * Of several rounds a fast actor goes on until the slowest is done, so that none is ever alone; but not for ever, since
	 * an access that needs several faults in a row may not get them while another migrates the page.
	 */
	do {
		t->actor[number].act(round++);
		if (round == t->rounds) {
			atomic_fetch_sub(&shared->behind, 1);
			until = now_ns() + 1000000000ull;
		}
	} while (round < t->rounds || (t->rounds > 1 && atomic_load(&shared->behind) && now_ns() < until));
	/* What this CPU's batches hold is not known to any other. */
	drain_lru();
	return NULL;
}

/* All actors that are of this process. */
static void play(const struct together *t, int process)
{
	pthread_t threads[ACTORS];
	unsigned int started = 0, stack = 0, first = t->actors;

	playing = t;
	for (unsigned int n = 0; n < t->actors; n++) {
		if (t->actor[n].process != process)
			continue;
		if (first == t->actors) {
			first = n;
			continue;
		}
		stack += stack == own_stack;
		start_thread(&threads[started++], stack++, run_actor, n);
	}
	run_actor((void *)(uintptr_t)first);
	while (started)
		pthread_join(threads[--started], NULL);
	pin_to(test_cpu);
}

//---
static void begin_together(const struct together *t, unsigned int other_processes)
{
	drain_lru();
	atomic_store(&shared->arrived, 0);
	atomic_store(&shared->behind, t->actors);
	atomic_store(&shared->players, other_processes);
}

//---
static void wait_for_players(void)
{
	while (atomic_load(&shared->players))
		sched_yield();
}

//---
static void *do_nothing(void *argument)
{
	return argument;
}

/* In the first process, before anything is noted: what the first thread allocates is there from then on. */
static void prepare_actors(void)
{
	pthread_t thread;

	start_thread(&thread, 0, do_nothing, 0);
	pthread_join(thread, NULL);
}
