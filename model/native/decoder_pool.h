// Threads that share the units of one step after the other. A step's chunks of units are counted
// down, so whoever draws a positive number has work of the present step, and none waits for a
// thread that is late: the others do its share.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define CHUNKS 8    // of a step per thread: evens out what other processes take
#define SPINS 2000  // looks before a thread lets others run, tens of microseconds

typedef void Work(void *context, int64_t begin, int64_t end, int thread);

typedef struct {
    Work *work;
    void *context;
    int64_t units, grain, chunks;
    _Atomic int64_t left, done;  // chunks
    _Atomic int sleepers, stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int threads;  // this one included
    pthread_t *ids;
} Pool;

typedef struct {
    Pool *pool;
    int thread;
} Worker;

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void pool_share(Pool *p, int thread) {
    for (;;) {
        int64_t chunk = atomic_fetch_sub(&p->left, 1) - 1;
        if (chunk < 0) return;
        int64_t begin = chunk * p->grain, end = begin + p->grain;
        p->work(p->context, begin, end < p->units ? end : p->units, thread);
        atomic_fetch_add(&p->done, 1);
    }
}

static void *pool_thread(void *given) {
    Worker self = *(Worker *)given;
    Pool *p = self.pool;
    free(given);
    while (!atomic_load(&p->stop)) {
        for (int i = 0; i < SPINS && atomic_load(&p->left) <= 0; i++) relax();
        if (atomic_load(&p->left) <= 0) {
            pthread_mutex_lock(&p->mutex);
            atomic_fetch_add(&p->sleepers, 1);
            while (atomic_load(&p->left) <= 0 && !atomic_load(&p->stop))
                pthread_cond_wait(&p->wake, &p->mutex);
            atomic_fetch_sub(&p->sleepers, 1);
            pthread_mutex_unlock(&p->mutex);
        }
        pool_share(p, self.thread);
    }
    return 0;
}

static void pool_wake(Pool *p) {
    if (!atomic_load(&p->sleepers)) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

// work(context, begin, end, thread) for all of the units, in any order; returns when all are done
static void pool_run(Pool *p, Work *work, void *context, int64_t units) {
    if (p->threads == 1 || units == 1) {
        work(context, 0, units, 0);
        return;
    }
    p->work = work, p->context = context, p->units = units;
    p->grain = (units + p->threads * CHUNKS - 1) / (p->threads * CHUNKS);
    p->chunks = (units + p->grain - 1) / p->grain;
    atomic_store(&p->done, 0);
    atomic_store(&p->left, p->chunks);
    pool_wake(p);
    pool_share(p, 0);
    for (int i = 0; atomic_load(&p->done) < p->chunks; i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield();
    }
}

static void pool_end(Pool *p) {
    atomic_store(&p->stop, 1);
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 1; i < p->threads; i++) pthread_join(p->ids[i], 0);
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->wake);
    free(p->ids);
}

// of as many threads as the system gives, at most ``threads``; 0 if there is not enough memory
static int pool_begin(Pool *p, int threads) {
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->mutex, 0);
    pthread_cond_init(&p->wake, 0);
    p->ids = calloc(threads, sizeof *p->ids);
    for (p->threads = 1; p->ids && p->threads < threads; p->threads++) {
        Worker *worker = malloc(sizeof *worker);
        if (!worker) break;
        *worker = (Worker){p, p->threads};
        if (!pthread_create(&p->ids[p->threads], 0, pool_thread, worker)) continue;
        free(worker);
        break;
    }
    return p->ids != 0;
}
