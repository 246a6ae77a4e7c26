"""What the core uses of CPython's C interface, and of C. Each declaration is `noexcept`: an error stays set until `ct_fetch()` takes it."""

from cpython.object cimport PyObject, PyTypeObject

cdef extern from *:
    """
    #if PY_VERSION_HEX < 0x030C0000
    static PyObject *ct_fetch(void) {
        PyObject *kind, *error, *traceback;
        PyErr_Fetch(&kind, &error, &traceback);
        PyErr_NormalizeException(&kind, &error, &traceback);
        if (traceback != NULL) { PyException_SetTraceback(error, traceback); Py_DECREF(traceback); }
        Py_DECREF(kind);
        return error;
    }
    static void ct_restore(PyObject *error) {
        PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), error, PyException_GetTraceback(error));
    }
    #else
    #define ct_fetch PyErr_GetRaisedException
    #define ct_restore PyErr_SetRaisedException
    #endif
    #include "frameobject.h"
    #include <time.h>
    /* Cython finds the code object of a traceback's entry again by its line alone, and this unit has several files: where it found another
       function's the entry gets one of its own. The macro stands for the one call that Cython's traceback makes. */
    static PyFrameObject *ct_frame(PyThreadState *state, PyCodeObject *found, PyObject *globals,
                                   const char *file, const char *name, int line) {
        PyObject *error;
        PyCodeObject *code;
        PyFrameObject *frame = NULL;
        if (PyUnicode_CompareWithASCIIString(found->co_name, name) == 0) return PyFrame_New(state, found, globals, NULL);
        error = ct_fetch();
        code = PyCode_NewEmpty(file, name, line);
        if (code == NULL) PyErr_Clear();
        else frame = PyFrame_New(state, code, globals, NULL), Py_DECREF(code);
        ct_restore(error);
        return frame;
    }
    #if !defined(CYTHON_TRACE_NOGIL)  /* a build for coverage makes frames elsewhere, too */
    #define PyFrame_New(state, code, globals, locals) ct_frame(state, code, globals, filename, funcname, py_line)
    #endif
    #define ct_code(frame) ((PyObject *)PyFrame_GetCode(frame))
    #if PY_VERSION_HEX >= 0x030B0000
    #define ct_instruction(frame) PyFrame_GetLasti(frame)
    #else
    #define ct_instruction(frame) ((frame)->f_lasti * (int)sizeof(_Py_CODEUNIT))
    #endif
    /* Sixteenths of a second since nobody knows when, by the cheapest clock. */
    #ifdef _WIN32
    #include <windows.h>
    #define ct_sixteenths() ((unsigned int)(GetTickCount64() * 16 / 1000))
    #else
    #include <time.h>
    #ifdef CLOCK_MONOTONIC_COARSE
    #define CT_COARSE CLOCK_MONOTONIC_COARSE
    #else
    #define CT_COARSE CLOCK_MONOTONIC
    #endif
    static unsigned int ct_sixteenths(void) {
        struct timespec now = {0, 0};
        clock_gettime(CT_COARSE, &now);
        return (unsigned int)now.tv_sec * 16 + (unsigned int)(now.tv_nsec / 62500000);
    }
    #endif
    #define ct_has_send(o) (Py_TYPE(o)->tp_as_async != NULL && Py_TYPE(o)->tp_as_async->am_send != NULL)
    #if defined(__GNUC__) || defined(__clang__)
    #define ct_prefetch(address) __builtin_prefetch(address)
    #else
    #define ct_prefetch(address) ((void)(address))
    #endif
    #define ct_send_of(type) ((type)->tp_as_async->am_send)
    static PyObject *ct_code_of(PyObject *coroutine) {
        if (!PyGen_CheckExact(coroutine) && !PyCoro_CheckExact(coroutine)) return NULL;
    #if PY_VERSION_HEX < 0x030C0000
        return Py_NewRef(((PyGenObject *)coroutine)->gi_code);
    #elif defined(Py_DEBUG)
        return PyObject_GetAttrString(coroutine, PyGen_CheckExact(coroutine) ? "gi_code" : "cr_code");
    #else
        return (PyObject *)PyGen_GetCode((PyGenObject *)coroutine);  /* a native coroutine is laid out in the same way */
    #endif
    }
    static PyObject *ct_stop_value(PyObject *stop) {
        return Py_NewRef(((PyStopIterationObject *)stop)->value ? ((PyStopIterationObject *)stop)->value : Py_None);
    }
    """
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_NEXT
    ctypedef struct PyFrameObject:
        pass
    PySendResult PyIter_Send(PyObject*, PyObject*, PyObject**) noexcept
    bint PyGen_CheckExact(PyObject*) noexcept
    bint PyCoro_CheckExact(PyObject*) noexcept
    bint ct_has_send(PyObject*) noexcept
    PyObject* Py_NewRef(PyObject*) noexcept
    PyObject* ct_fetch() noexcept
    void ct_restore(PyObject*) noexcept
    PyObject* ct_stop_value(PyObject*) noexcept
    PyObject* ct_code_of(PyObject*) noexcept
    int PyGC_Enable() noexcept
    int PyGC_Disable() noexcept
    PyObject* ct_code(PyFrameObject*) noexcept
    int ct_instruction(PyFrameObject*) noexcept
    unsigned int ct_sixteenths() noexcept
    PyFrameObject* PyEval_GetFrame() noexcept
    int PyErr_GivenExceptionMatches(PyObject*, PyObject*) noexcept
    int PyErr_CheckSignals() noexcept
    int Py_EnterRecursiveCall(const char*) except -1
    void Py_LeaveRecursiveCall() noexcept
    PyObject* PyErr_NoMemory() noexcept
    PyObject* PyTuple_Pack(Py_ssize_t, ...) noexcept
    PyObject* PyList_New(Py_ssize_t) noexcept
    void PyList_SET_ITEM(PyObject*, Py_ssize_t, PyObject*) noexcept
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t) noexcept
    void PyTuple_SET_ITEM(PyObject*, Py_ssize_t, PyObject*) noexcept
    bint PyArg_UnpackTuple(PyObject*, const char*, Py_ssize_t, Py_ssize_t, ...) noexcept
    int PyObject_GC_IsTracked(PyObject*) noexcept
    void PyObject_GC_Track(void*) noexcept
    void PyErr_Clear() noexcept
    void PyErr_SetObject(PyObject*, PyObject*) noexcept
    int PyErr_ExceptionMatches(PyObject*) noexcept
    PyObject* PyErr_Occurred() noexcept
    PyObject* PyObject_GetAttr(PyObject*, PyObject*) noexcept
    PyObject* _PyType_Lookup(PyTypeObject*, PyObject*) noexcept
    int PyObject_GenericSetAttr(object, object, object) except -1
    Py_ssize_t PyBytes_GET_SIZE(PyObject*) noexcept
    PyObject* PyDict_GetItemWithError(PyObject*, PyObject*) noexcept
    PyObject* PyException_GetTraceback(PyObject*) noexcept
    int PyException_SetTraceback(PyObject*, PyObject*) noexcept
    PyObject* PyException_GetContext(PyObject*) noexcept
    void PyException_SetContext(PyObject*, PyObject*) noexcept
    bint PyCallable_Check(PyObject*) noexcept
    PyObject* PyObject_CallNoArgs(PyObject*) noexcept
    PyObject* PyObject_CallMethodOneArg(PyObject*, PyObject*, PyObject*) noexcept
    PyObject* PyObject_CallMethodNoArgs(PyObject*, PyObject*) noexcept
    PyObject* PyObject_CallFunctionObjArgs(PyObject*, ...) noexcept
    PyObject* PyObject_CallMethodObjArgs(PyObject*, PyObject*, ...) noexcept
    PyObject* PyObject_Vectorcall(PyObject*, PyObject**, size_t, PyObject*) noexcept
    int PyContext_Enter(PyObject*) noexcept
    int PyContext_Exit(PyObject*) noexcept
    PyTypeObject* Py_TYPE(PyObject*) noexcept
    Py_ssize_t Py_REFCNT(PyObject*) noexcept
    bint PyLong_CheckExact(PyObject*) noexcept
    bint PyTuple_CheckExact(PyObject*) noexcept
    void PyTuple_SET_ITEM(PyObject*, Py_ssize_t, PyObject*) noexcept
    long PyLong_AsLong(PyObject*) noexcept
    double PyFloat_AsDouble(PyObject*) noexcept
    PyObject* PyFloat_FromDouble(double) noexcept
    PyObject* PyLong_FromLong(long) noexcept
    PyObject* PyMethod_New(PyObject*, PyObject*) noexcept
    double Py_HUGE_VAL
    int PyObject_IsTrue(PyObject*) noexcept
    PyObject* PyExc_Exception
    PyObject* PyExc_StopIteration
    PyObject* PyExc_GeneratorExit
    PyObject* PyExc_KeyboardInterrupt
    PyObject* PyExc_SystemExit
    PyObject* Py_None
    PyObject* Py_False
    PyObject* Py_True
    PyObject* Py_NotImplemented
    PyObject* PyExc_StopAsyncIteration
    ctypedef PySendResult (*sendfunc)(PyObject*, PyObject*, PyObject**) noexcept
    sendfunc ct_send_of(PyTypeObject*) noexcept
    void ct_prefetch(void*) noexcept
    unsigned long PyThread_get_thread_ident() noexcept
    unsigned long PyLong_AsUnsignedLong(PyObject*) noexcept
    PyTypeObject PyGen_Type

cdef extern from "_guard.h":
    bint CT_FREE_THREADED
    int CT_LEAVING
    int ct_throws, ct_beside
    void ct_yield() noexcept
    void ct_lock(PyObject*) noexcept
    void ct_unlock(PyObject*) noexcept
    bint ct_flag "ct_load"(bint*) noexcept
    size_t ct_size "ct_load"(size_t*) noexcept
    PyObject* ct_pointer "ct_load"(PyObject**) noexcept
    void ct_set_size "ct_store"(size_t*, size_t) noexcept
    void ct_set_flag "ct_store"(bint*, bint) noexcept
    void ct_set_pointer "ct_store"(PyObject**, PyObject*) noexcept
    void ct_count(int*, int) noexcept
    PyObject* ct_swap(PyObject**, PyObject*) noexcept
    void ct_put(PyObject**, PyObject*) noexcept
    PyObject* ct_exchange(PyObject*, PyObject**, PyObject*) noexcept
    PyObject* ct_ref(PyObject*, PyObject**) noexcept

cdef extern from "_clock.h":
    long long ct_now() noexcept
    void ct_begin_clock() noexcept
    void ct_measure_clock() noexcept

cdef extern from "_throw.h":
    void ct_know_all_ways() noexcept
    PyObject* ct_inner_of(PyObject*) noexcept
    PyObject* ct_throw_into(PyObject*, PyObject*) noexcept

cdef extern from "_call.h":
    PyTypeObject ct_call_type
    object ct_make_call(object, object, object, object)

cdef extern from "_sleep.h":
    ctypedef struct ct_Sleep:
        double seconds
        unsigned long long number
        PyObject* pseudothread
        PyObject* deadline
        PyObject* error
        char limits, told
    PyTypeObject* ct_sleep_type
    PyTypeObject* ct_limit_type
    object ct_make_sleep(object, object)
    object ct_make_limit(object)

cdef extern from "_waiting.h":
    PyTypeObject* ct_read_type
    PyTypeObject* ct_write_type
    PyTypeObject* ct_reactor_type
    PyObject* ct_knock
    Py_ssize_t ct_read_file, ct_read_pseudothread, ct_read_watched, ct_read_to_write, ct_watched_reading
    Py_ssize_t ct_reactor_files, ct_reactor_waits, ct_reactor_due, ct_reactor_vain, ct_reactor_timers, ct_reactor_epoll
    enum:
        CT_ELSEWHERE, CT_ALL, CT_BEGUN
    int ct_know_streams(object, object, object, object) except -1
    int ct_know_reactor(object, object) except -1
    PyObject* ct_slot(PyObject*, Py_ssize_t) noexcept
    void ct_set_slot(PyObject*, Py_ssize_t, PyObject*) noexcept
    PyObject* ct_watched_of(PyObject*, PyObject*) noexcept
    PyObject* ct_reading_at(PyObject*, unsigned long) noexcept
    int ct_count_waits(PyObject*, int) noexcept
    PyObject* ct_receive(PyObject*) noexcept
    int ct_send(PyObject*, PyObject**, int*) noexcept
    long ct_whole(PyObject*) noexcept
    void ct_let_go(PyObject*) noexcept
    PyObject* ct_make_reading(PyObject*, PyObject*) noexcept
    PyObject* ct_make_writing(PyObject*, PyObject*) noexcept

cdef extern from "_polling.h":
    enum:
        CT_MOST_READY
    int ct_poll(int, int, int*, unsigned int*) noexcept
    int ct_milliseconds(double) noexcept
    bint ct_has_some(PyObject*) noexcept
    PyObject* ct_dict_of(PyObject*) noexcept

cdef extern from "_locks.h":
    PyTypeObject* ct_lock_type
    PyTypeObject* ct_semaphore_type
    int ct_know_locks(object, object, object) except -1
    PyObject* ct_have(PyObject*, PyObject*) noexcept

cdef extern from "_operation.h":
    ctypedef struct ct_Operation:
        PyObject* channel
        PyObject* value
        PyObject* pseudothread
        ct_Operation* before
        ct_Operation* after
        char kind, waits
    ctypedef int (*ct_operate_function)(ct_Operation*, PyObject**) noexcept
    ctypedef PyObject* (*ct_method)(PyObject*, PyObject*) noexcept
    enum:
        CT_PUT, CT_GET, CT_NEXT
    enum:
        CT_WAIT, CT_DONE, CT_FAILED
    PyTypeObject* ct_operation_type
    int ct_promptly
    ct_operate_function ct_operate_slowly
    PyObject* ct_operation(PyObject*, PyObject*, char) noexcept
    int ct_make_operation(
        object, object, object, object, ct_operate_function, ct_operate_function, ct_method, ct_method, ct_method) except -1

ctypedef int (*clear_function)(PyObject*) noexcept
