// SPDX-License-Identifier: GPL-2.0-only

//---
/* 0 where the module has no coherent devices. */
static long spm_addr(int device)
{
	char path[64], text[32] = "";
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/test_hmm/parameters/spm_addr_dev%d", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return length > 0 ? atol(text) : 0;
}

//---
/* Unloads test_hmm, and loads it anew as it was loaded before. */
static int reload_test_hmm(void)
{
	const long address[] = { spm_addr(0), spm_addr(1) };
	char parameters[96] = "", command[320];

	if (syscall(SYS_delete_module, "test_hmm", O_NONBLOCK))
		return errno;
	if (address[0] && address[1])
		snprintf(parameters, sizeof(parameters), "spm_addr_dev0=%ld spm_addr_dev1=%ld", address[0], address[1]);
	snprintf(command, sizeof(command), "insmod /lib/modules/test_hmm.ko %s 2>/dev/null || modprobe test_hmm %s",
		 parameters, parameters);
	if (system(command))
		cannot("test_hmm does not load any more");
	return 0;
}
