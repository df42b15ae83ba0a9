// SPDX-License-Identifier: GPL-2.0-only

//---
static int log_fd;

/* The kernel's log from here on. */
static void open_log(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0)
		cannot("/dev/kmsg: %s", strerror(errno));
}

static void check_log(void)
{
	static const char *const heads[] = {
		"WARNING: ", "BUG: ", "kernel BUG at", "Oops", "general protection fault", "Unable to handle",
		"INFO: task", "INFO: rcu", "rcu: INFO", "UBSAN: ", "Bad page", "Bad rss-counter", "Kernel panic",
		"swap_info_get: Bad", "unrecognized swap entry",
	};
	char record[2048];
	ssize_t length;

	while ((length = read(log_fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		char *text;

		/* EPIPE: records were lost to a full buffer. */
		if (length <= 0)
			continue;
		record[length] = '\0';
		text = strchr(record, ';');
		for (unsigned int i = 0; text && i < sizeof(heads) / sizeof(heads[0]); i++)
			if (strstr(text, heads[i])) {
				failed("kernel log", "expected no complaint, seen %.*s",
				       (int)strcspn(text + 1, "\n"), text + 1);
				break;
			}
	}
}
