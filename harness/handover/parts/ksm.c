// SPDX-License-Identifier: GPL-2.0-only

//---
static void write_ksm(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		cannot("%s: %s", path, strerror(errno));
	close(fd);
}

//---
static long full_scans(void)
{
	char text[32] = "";
	const int fd = open("/sys/kernel/mm/ksm/full_scans", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		cannot("/sys/kernel/mm/ksm/full_scans: %s", strerror(errno));
	close(fd);
	return atol(text);
}

//---
/* ksmd scans all pages three times: it remembers them, merges them, and finds nothing new. */
static int run_ksmd(void)
{
	const long before = full_scans();

	write_ksm("pages_to_scan", "100000");
	write_ksm("sleep_millisecs", "0");
	write_ksm("smart_scan", "0");
	write_ksm("run", "1");
	while (full_scans() < before + 3)
		usleep(500);
	write_ksm("run", "0");
	return 0;
}
