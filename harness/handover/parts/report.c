// SPDX-License-Identifier: GPL-2.0-only

//---
static void __attribute__((format(printf, 1, 2), noreturn)) cannot(const char *format, ...)
{
	va_list arguments;

	printf("cannot be tried: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	_exit(2);
}

//---
static void __attribute__((format(printf, 2, 3))) failed(const char *what, const char *format, ...)
{
	va_list arguments;

	printf("FAILED, step %d, %s: ", shared->step, what);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	shared->failed = true;
}

//---
/* A result is 0, an errno, or a signal at a page of the range that was accessed. */
#define FAULT(signal, page)	((signal) << 16 | (page))

static const char *describe(int err)
{
	static char texts[2][80];
	static int next;
	char *text = texts[next ^= 1];

	if (err >> 16)
		snprintf(text, sizeof(texts[0]), "%s at page %d of the range", strsignal(err >> 16), err & 0xffff);
	else
		snprintf(text, sizeof(texts[0]), "%s", err ? strerror(err) : "success");
	return text;
}

//---
/* For steps before the failing one: without what they do, it is not reached. */
static void need(int err, int expected)
{
	if (err != expected)
		cannot("step %d: expected %s, seen %s", shared->step, describe(expected), describe(err));
}

//---
static bool check_result(const char *what, int err, int expected)
{
	if (err != expected)
		failed(what, "expected %s, seen %s", describe(expected), describe(err));
	return err == expected;
}
