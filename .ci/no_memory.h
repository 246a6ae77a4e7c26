/* Refuse one allocation of those that the C core makes, itself or by what it calls in CPython, and none that the interpreter makes as it runs
Python code: CPython 3.12 itself crashes, or loses errors, where its own are refused. `no_memory.py` loads it. Linux with glibc.

Nor, where there is no GIL, that of the items in PyList_New(), which then frees what it never set: gh-152125, in CPython 3.13t. */
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

static PyMemAllocatorEx before[3];
static long counted, refused;

static int ours(void) {
    void *frames[40];
    Dl_info info;
    int many = backtrace(frames, 40);
    for (int i = 2; i < many; i++) {
        if (!dladdr(frames[i], &info)) continue;
#ifdef Py_GIL_DISABLED
        if (info.dli_sname != NULL && strcmp(info.dli_sname, "PyList_New") == 0) return 0;
#endif
        if (info.dli_fname != NULL && strstr(info.dli_fname, "_ctrampoline") != NULL) return 1;
        if (info.dli_sname != NULL && strcmp(info.dli_sname, "_PyEval_EvalFrameDefault") == 0) return 0;
    }
    return 0;
}

static int inside;  /* an allocator that asks another one is one allocation */

static int refuse(void) {
    int no;
    if (inside) return 0;
    inside = 1;
    no = ours() && ++counted == refused;
    inside = 0;
    return no;
}

static void *take(void *ctx, size_t size) {
    PyMemAllocatorEx *a = ctx;
    void *got;
    if (refuse()) return NULL;
    inside++;
    got = a->malloc(a->ctx, size);
    inside--;
    return got;
}

static void *take_zeroed(void *ctx, size_t many, size_t size) {
    PyMemAllocatorEx *a = ctx;
    void *got;
    if (refuse()) return NULL;
    inside++;
    got = a->calloc(a->ctx, many, size);
    inside--;
    return got;
}

static void *take_more(void *ctx, void *old, size_t size) {
    PyMemAllocatorEx *a = ctx;
    void *got;
    if (refuse()) return NULL;
    inside++;
    got = a->realloc(a->ctx, old, size);
    inside--;
    return got;
}

static void give(void *ctx, void *old) {
    PyMemAllocatorEx *a = ctx;
    a->free(a->ctx, old);
}

/* Refuse the allocation of that number; none if it is 0. */
void no_memory_at(long number) {
    static const PyMemAllocatorDomain domains[3] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    counted = 0, refused = number, inside = 0;
    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx hook = {&before[i], take, take_zeroed, take_more, give};
        PyMem_GetAllocator(domains[i], &before[i]);
        PyMem_SetAllocator(domains[i], &hook);
    }
}

/* Refuse none any more. Return how many there were. */
long no_memory_ends(void) {
    static const PyMemAllocatorDomain domains[3] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    for (int i = 0; i < 3; i++) PyMem_SetAllocator(domains[i], &before[i]);
    return counted;
}
