/* Loaded before libc into the programs under test, never part of them: their
 * wall clock goes wrong by as many microseconds as the file MUSTER_CLOCK says
 * (8 bytes, as this machine writes numbers), from one moment to the next.
 *
 * The file is mapped when the program starts, before it gives up its rights;
 * clocks that nobody can set stay as they are.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *offset_us;

__attribute__((constructor)) static void map_offset(void)
{
	const char *path = getenv("MUSTER_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*offset_us), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		offset_us = map;
}

static int64_t wrong_now_us(void)
{
	struct timespec now = { 0 };

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 + (offset_us != NULL ? atomic_load(offset_us) : 0);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int64_t wrong;

	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, now);
	wrong = wrong_now_us();
	*now = (struct timespec){ .tv_sec = wrong / 1000000, .tv_nsec = wrong % 1000000 * 1000 };
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int64_t wrong = wrong_now_us();

	(void)zone;
	*now = (struct timeval){ .tv_sec = wrong / 1000000, .tv_usec = wrong % 1000000 };
	return 0;
}

time_t time(time_t *ret_now)
{
	time_t now = wrong_now_us() / 1000000;

	if (ret_now != NULL)
		*ret_now = now;
	return now;
}
