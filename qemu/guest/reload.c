// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io.h"
#include "reload.h"

#define MODULE	"/lib/modules/test_hmm.ko"

/* Where the memory of coherent devices is; none where either is 0 (lib/test_hmm.c, hmm_dmirror_init). */
static long spm_addr[2];

static long read_parameter(int device)
{
	char path[64], text[32];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/test_hmm/parameters/spm_addr_dev%d", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return atol(text);
}

int unload_test_hmm(void)
{
	for (int d = 0; d < 2; d++)
		spm_addr[d] = read_parameter(d);
	return syscall(SYS_delete_module, "test_hmm", O_NONBLOCK);
}

int load_test_hmm(void)
{
	char parameters[96] = "";
	int result, fd;

	if (spm_addr[0] && spm_addr[1])
		snprintf(parameters, sizeof(parameters), "spm_addr_dev0=%ld spm_addr_dev1=%ld", spm_addr[0],
			 spm_addr[1]);
	fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || write_file("/dev/kmsg", "<5>hmmdiff: test_hmm without devices\n"))
		return -1;
	result = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	return result;
}
