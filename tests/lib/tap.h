/* A unit test is a program that prints TAP. CHECK* note the line and go on; main ends with done(). */
#ifndef VV_TESTS_TAP_H
#define VV_TESTS_TAP_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_n, tap_failed;

static inline void tap_ok(int ok, const char *what, const char *file, int line)
{
	printf("%sok %d - ", ok ? "" : "not ", ++tap_n);
	/* A description is one line, and a # in it would say more than it means. */
	for (const char *c = what; *c; c++)
		putchar(*c < ' ' || *c == '#' || *c == 127 ? '?' : *c);
	putchar('\n');
	if (!ok) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	/* A child that is forked later would print it again: ThreadSanitizer's _exit flushes. */
	fflush(stdout);
}

#define CHECK(cond) tap_ok(!!(cond), #cond, __FILE__, __LINE__)
#define CHECK_INT(a, b)                                                                            \
	do {                                                                                       \
		long long tap_a = (long long)(a), tap_b = (long long)(b);                          \
		tap_ok(tap_a == tap_b, #a " == " #b, __FILE__, __LINE__);                          \
		if (tap_a != tap_b)                                                                \
			printf("# %lld, not %lld\n", tap_a, tap_b);                                \
	} while (0)
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *tap_a = (a), *tap_b = (b);                                             \
		tap_ok(!strcmp(tap_a, tap_b), #a " == " #b, __FILE__, __LINE__);                   \
		if (strcmp(tap_a, tap_b))                                                          \
			printf("# \"%s\", not \"%s\"\n", tap_a, tap_b);                            \
	} while (0)
/* A call that must return 0; prints the message otherwise. */
#define CHECK_OK(call, err)                                                                        \
	do {                                                                                       \
		int tap_r = (call);                                                                \
		tap_ok(tap_r == 0, #call, __FILE__, __LINE__);                                     \
		if (tap_r)                                                                         \
			printf("# %d: %s\n", tap_r, (err)->msg);                                   \
	} while (0)

static inline int done(void)
{
	printf("1..%d\n", tap_n);
	return tap_failed != 0;
}

#endif
