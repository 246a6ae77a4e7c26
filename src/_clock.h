/* The clock of the profiler: CLOCK_MONOTONIC, read from the processor's time-stamp counter where Linux takes its own time from there, at half
the cost of asking it. The counter's rate is measured once, from the import up to the first Collector, and for 10 ms at least: so its time is
true to a few parts in a million of what the clock said then, and is not slewed with it afterwards. */

#if defined(CLOCK_MONOTONIC) && !defined(_WIN32)
static inline long long ct_system_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}
#elif PY_VERSION_HEX >= 0x030D0000
static inline long long ct_system_now(void) { PyTime_t now; return PyTime_MonotonicRaw(&now) < 0 ? 0 : (long long)now; }
#else
#define ct_system_now() ((long long)_PyTime_GetMonotonicClock())
#endif

#if defined(__linux__) && defined(__x86_64__) && defined(__GNUC__)
#include <x86intrin.h>

#define CT_CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define CT_LONG_ENOUGH 10000000

typedef struct { unsigned long long ticks; long long time; } ct_Moment;

static ct_Moment ct_began;
static unsigned long long ct_rate;  /* nanoseconds a tick, times 2**32; 0 while the counter is not used */

static inline long long ct_now(void) {
    if (ct_rate == 0) return ct_system_now();
    return ct_began.time + (long long)((unsigned __int128)(__rdtsc() - ct_began.ticks) * ct_rate >> 32);
}

/* Read both; of five tries that which took least, for it was not interrupted. */
static ct_Moment ct_moment(void) {
    ct_Moment best = {0, 0};
    unsigned long long took = ~0ULL, before, after;
    long long time;
    int tries;
    for (tries = 0; tries < 5; tries++) {
        before = __rdtsc();
        time = ct_system_now();
        after = __rdtsc();
        if (after - before >= took) continue;
        took = after - before;
        best.ticks = before + took / 2;
        best.time = time;
    }
    return best;
}

static void ct_begin_clock(void) { ct_began = ct_moment(); }

static int ct_is_trusted(void) {
    char name[8] = "";
    FILE *file = fopen(CT_CLOCK_SOURCE, "r");
    if (file == NULL) return 0;
    if (fgets(name, sizeof name, file) == NULL) name[0] = 0;
    fclose(file);
    return strcmp(name, "tsc\n") == 0;
}

static void ct_measure_clock(void) {
    static int asked;
    ct_Moment now;
    if (asked) return;
    asked = 1;
    if (!ct_is_trusted()) return;
    do now = ct_moment(); while (now.time - ct_began.time < CT_LONG_ENOUGH);
    if (now.ticks <= ct_began.ticks) return;
    ct_rate = (unsigned long long)(((unsigned __int128)(now.time - ct_began.time) << 32) / (now.ticks - ct_began.ticks));
}
#else
#define ct_now() ct_system_now()
#define ct_begin_clock() ((void)0)
#define ct_measure_clock() ((void)0)
#endif
