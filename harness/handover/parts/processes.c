// SPDX-License-Identifier: GPL-2.0-only

//---
/* The processes are killed as their parent dies, if they can be. */
static void on_alarm(int number)
{
	(void)number;
	failed("time limit", "expected an end, still there after %d s: it hangs", LIMIT_S);
	_exit(1);
}

//---
/* fork(), but main() is the parent of all processes and sees every end. */
static pid_t spawn(void)
{
	return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

//---
/* The processes act one at a time: who reads a byte from its pipe may go on. */
static int turns[PROCESSES][2];

static void make_turns(void)
{
	for (int i = 0; i < PROCESSES; i++)
		if (pipe2(turns[i], O_CLOEXEC))
			cannot("pipe: %s", strerror(errno));
}

static void pass_turn(int process)
{
	if (write(turns[process][1], "", 1) != 1)
		cannot("turn of process %d: %s", process, strerror(errno));
}

static void wait_for_turn(int process)
{
	char byte;

	while (read(turns[process][0], &byte, 1) != 1)
		;
}
