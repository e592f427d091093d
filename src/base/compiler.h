/* The only place for compiler extensions. */
#ifndef VV_BASE_COMPILER_H
#define VV_BASE_COMPILER_H

#define VV_MUST_CHECK __attribute__((warn_unused_result))
#define VV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define VV_UNUSED __attribute__((unused))
/* For a body whose constant arguments must be known where it is compiled. */
#define VV_INLINE static inline __attribute__((always_inline))
#define VV_NORETURN __attribute__((noreturn))
#define vv_likely(x) __builtin_expect(!!(x), 1)
#define vv_unlikely(x) __builtin_expect(!!(x), 0)
#define VV_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* clang says it by __has_feature only. */
#if defined(__SANITIZE_ADDRESS__)
#define VV_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VV_ASAN 1
#endif
#endif

/*
 * Hot integer loops are compiled once per instruction set and picked at load time. The results are
 * the same bytes on every path. Sanitizers run before the resolver can, so they get one path.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__) && defined(__gnu_linux__)
#define VV_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#define VV_CLONES_BITS __attribute__((target_clones("default", "arch=x86-64-v3"))) /* for shifts, not vectors */
#else
#define VV_CLONES
#define VV_CLONES_BITS
#endif

/* A broken promise between functions of varve, never bad data: stops the program in every build. */
#define VV_BUG(msg) vv_bug(__FILE__, __LINE__, msg)
void vv_bug(const char *file, int line, const char *msg) VV_NORETURN;

#endif
