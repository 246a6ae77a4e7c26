/* What only free-threaded CPython needs: with a lock of the interpreter all of it is nothing, or what stands there without it.

A lock is the one that each object of that CPython has. What is done under one calls nothing of the user's and lets nothing go for good: so
nobody waits for another who waits for him, and what stands between `ct_lock` and `ct_unlock` is one step to all others. docs/internals.md
says what is guarded by which. */

#define CT_LEAVING 5  /* the state of a pseudothread that somebody is just resuming; the others are in `_ctrampoline.pxd` */

/* A function of the hot path: setup.py has few others inlined. */
#ifdef __GNUC__
#define CT_HOT static inline __attribute__((always_inline))
#else
#define CT_HOT static inline
#endif

#ifdef Py_GIL_DISABLED
#ifdef _WIN32
#include <windows.h>
#else
#include <sched.h>
#endif
#define CT_FREE_THREADED 1
#define ct_lock(object) PyMutex_Lock(&((PyObject *)(object))->ob_mutex)
#define ct_unlock(object) PyMutex_Unlock(&((PyObject *)(object))->ob_mutex)
#ifdef _MSC_VER
#define CT_EACH_THREAD __declspec(thread)
#define ct_load(place) (*(place))
#define ct_store(place, value) (*(place) = (value))
#define ct_count(place, more) ((void)_InterlockedExchangeAdd((volatile long *)(place), (more)))
#define ct_swap(place, new) ((PyObject *)_InterlockedExchangePointer((void *volatile *)(place), (new)))
#else
#define CT_EACH_THREAD _Thread_local
#define ct_load(place) __atomic_load_n((place), __ATOMIC_RELAXED)
#define ct_store(place, value) __atomic_store_n((place), (value), __ATOMIC_RELAXED)
#define ct_count(place, more) ((void)__atomic_fetch_add((place), (more), __ATOMIC_SEQ_CST))
#define ct_swap(place, new) __atomic_exchange_n((place), (new), __ATOMIC_ACQ_REL)
#endif
#define ct_put(place, new) Py_XDECREF(ct_swap(place, new))

/* How many throws this thread is in the midst of: it must not wait for itself. */
static CT_EACH_THREAD int ct_throws;

static void ct_yield(void) {
    Py_BEGIN_ALLOW_THREADS
#ifdef _WIN32
    SwitchToThread();
#else
    sched_yield();
#endif
    Py_END_ALLOW_THREADS
}
#else
#define ct_yield() ((void)0)
static int ct_throws;
#define CT_FREE_THREADED 0
#define CT_EACH_THREAD
#define ct_lock(object) ((void)(object))
#define ct_unlock(object) ((void)(object))
#define ct_load(place) (*(place))
#define ct_store(place, value) (*(place) = (value))
#define ct_count(place, more) ((void)(*(place) += (more)))
#define ct_put(place, new) ((void)(*(place) = (new)))
static inline PyObject *ct_swap(PyObject **place, PyObject *new) {
    PyObject *old = *place;
    *place = new;
    return old;
}
#endif

/* How many turns by hand, and close(), this thread is in the midst of, of whatever trampoline. */
#ifdef _MSC_VER
static __declspec(thread) int ct_beside;
#else
static _Thread_local int ct_beside;
#endif

/* Put another object, or NULL, into such a place, and return what stood there; both references change hands. */
static inline PyObject *ct_exchange(void *owner, PyObject **place, PyObject *new) {
    PyObject *old;
    ct_lock(owner);
    old = *place;
    *place = new;
    ct_unlock(owner);
    return old;
}

/* Return a new reference of what stands in a place that the lock of `owner` guards, or NULL. */
static inline PyObject *ct_ref(void *owner, PyObject **place) {
    PyObject *found;
    ct_lock(owner);
    found = Py_XNewRef(*place);
    ct_unlock(owner);
    return found;
}
