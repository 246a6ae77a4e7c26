/* What `call()` returns, in C: Cython would add a frame of ours to the traceback of whatever its methods raise.

To whoever drives it, it is the generator that it is in the core in Python. */

typedef struct {
    PyObject_HEAD
    PyObject *held;  /* the callee until it is handed out; after the end perhaps the StopIteration that told the value */
    enum { CT_FRESH, CT_HANDED, CT_OVER } stage;
} ct_Call;

static PyTypeObject ct_call_type;
static PyObject *ct_is_coroutine, *ct_no_coroutine, *ct_exception_of;
#if !CT_FREE_THREADED
static ct_Call *ct_calls[64];  /* let go, to be used again */
static int ct_calls_kept;
#endif
static PyObject *ct_stop_kept;  /* the same; never one in free-threaded CPython */
static PyObject *ct_no_args;  /* an empty tuple */

static PyObject *ct_call(PyObject *module, PyObject *callee) {
    ct_Call *call;
    (void)module;
#if !CT_FREE_THREADED
    if (ct_calls_kept) call = (ct_Call *)PyObject_Init((PyObject *)ct_calls[--ct_calls_kept], &ct_call_type);
    else
#endif
    if ((call = PyObject_GC_New(ct_Call, &ct_call_type)) == NULL) return NULL;
    call->held = Py_NewRef(callee);
    call->stage = CT_FRESH;
    PyObject_GC_Track(call);
    return (PyObject *)call;
}

/* A StopIteration that nobody has seen but who took the value out of it. */
CT_HOT int ct_is_unseen(PyObject *object) {
    PyStopIterationObject *stop = (PyStopIterationObject *)object;
    return Py_REFCNT(stop) == 1 && stop->dict == NULL && stop->traceback == NULL && stop->context == NULL && stop->cause == NULL
        && !stop->suppress_context && stop->args == ct_no_args;
}

/* Let go of it, or keep it to be used again. */
CT_HOT void ct_drop_stop(PyObject *stop) {
    if (!CT_FREE_THREADED && ct_stop_kept == NULL && ct_is_unseen(stop)) {
        PyObject *value = ((PyStopIterationObject *)stop)->value;
        ((PyStopIterationObject *)stop)->value = NULL;
        ct_stop_kept = stop;
        Py_XDECREF(value);
    } else Py_DECREF(stop);
}

static void ct_call_dealloc(ct_Call *call) {
    PyObject *held = call->held;
    PyObject_GC_UnTrack(call);
    if (held != NULL && call->stage == CT_OVER) ct_drop_stop(held);
    else Py_XDECREF(held);
#if !CT_FREE_THREADED
    if (ct_calls_kept < (int)(sizeof ct_calls / sizeof *ct_calls)) ct_calls[ct_calls_kept++] = call;
    else
#endif
    PyObject_GC_Del(call);
}

static int ct_call_traverse(ct_Call *call, visitproc visit, void *arg) {
    Py_VISIT(call->held);
    return 0;
}

static int ct_call_clear(ct_Call *call) {
    call->stage = CT_OVER;
    Py_CLEAR(call->held);
    return 0;
}

static int ct_check_callee(PyObject *callee) {
    PyObject *found, *error;
    int good;
    if (PyGen_CheckExact(callee) || PyCoro_CheckExact(callee)) return 1;
    if ((found = PyObject_CallOneArg(ct_is_coroutine, callee)) == NULL) return 0;
    good = found == Py_True;
    Py_DECREF(found);
    if (!good && (error = PyObject_CallFunction(ct_no_coroutine, "sO", "call()", callee)) != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return good;
}

CT_HOT PyObject *ct_call_next(ct_Call *call) {
    PyObject *callee = call->held;
    if (call->stage != CT_FRESH) {
        call->stage = CT_OVER;
        return NULL;
    }
    call->stage = CT_HANDED;
    call->held = NULL;  /* of a million calls each would keep the next, and the last to go would take all with it */
    if (ct_check_callee(callee)) return callee;
    call->stage = CT_OVER;
    Py_DECREF(callee);
    return NULL;
}

CT_HOT PySendResult ct_call_resume(ct_Call *call, PyObject *value, PyObject **got) {
    if (call->stage == CT_FRESH) {
        if (value == Py_None) *got = ct_call_next(call);
        else *got = NULL, PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started generator");
        return *got == NULL ? PYGEN_ERROR : PYGEN_NEXT;
    }
    *got = Py_NewRef(call->stage == CT_HANDED ? value : Py_None);
    call->stage = CT_OVER;
    return PYGEN_RETURN;
}

/* From 3.12 on `yield from` and `await` take the value from a StopIteration only, and drop that at once, and then the call: so it is kept
   here till then, and not made anew each time. Whoever else asks holds the call and gets a StopIteration for good. */
CT_HOT PyObject *ct_stop(PyObject *awaited, PyObject *value, PyObject **held) {
    PyObject *stop = ct_stop_kept;
    if (CT_FREE_THREADED || Py_REFCNT(awaited) > 1 || *held != NULL) {
        stop = value == Py_None ? PyObject_CallNoArgs(PyExc_StopIteration) : PyObject_CallOneArg(PyExc_StopIteration, value);
        Py_DECREF(value);
    } else if (stop != NULL || (stop = PyObject_CallNoArgs(PyExc_StopIteration)) != NULL) {
        ct_stop_kept = NULL;
        Py_XSETREF(((PyStopIterationObject *)stop)->value, value);
        *held = Py_NewRef(stop);
    } else Py_DECREF(value);
    if (stop != NULL) ct_restore(stop);
    return NULL;
}

static PyObject *ct_call_send(ct_Call *call, PyObject *value) {
    PyObject *got;
    return ct_call_resume(call, value, &got) == PYGEN_RETURN ? ct_stop((PyObject *)call, got, &call->held) : got;
}

static PyObject *ct_throw(PyObject *const *args, Py_ssize_t count) {
    PyObject *error, *where;
    if (count == 1 && PyExceptionInstance_Check(args[0])) {
        ct_restore(Py_NewRef(args[0]));
        return NULL;
    }
    if (count < 1 || count > 3) return PyErr_Format(PyExc_TypeError, "throw() takes 1 to 3 arguments, not %zd", count);
    if ((where = PyUnicode_FromString("throw()")) == NULL) return NULL;
    error = PyObject_CallFunctionObjArgs(ct_exception_of, where, args[0], count > 1 ? args[1] : NULL, count > 2 ? args[2] : NULL, NULL);
    Py_DECREF(where);
    if (error != NULL) ct_restore(error);
    return NULL;
}

static PyObject *ct_call_throw(ct_Call *call, PyObject *const *args, Py_ssize_t count) {
    ct_call_clear(call);
    return ct_throw(args, count);
}

static PyObject *ct_call_close(ct_Call *call, PyObject *nothing) {
    (void)nothing;
    ct_call_clear(call);
    Py_RETURN_NONE;
}

static PyMethodDef ct_call_methods[] = {
    {"send", (PyCFunction)ct_call_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))ct_call_throw, METH_FASTCALL, NULL},
    {"close", (PyCFunction)ct_call_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyAsyncMethods ct_call_async = {
    .am_await = PyObject_SelfIter,
    .am_send = (sendfunc)ct_call_resume,
};

static PyTypeObject ct_call_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "trampoline._ctrampoline.call",
    .tp_basicsize = sizeof(ct_Call),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)ct_call_dealloc,
    .tp_traverse = (traverseproc)ct_call_traverse,
    .tp_clear = (inquiry)ct_call_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)ct_call_next,
    .tp_methods = ct_call_methods,
    .tp_as_async = &ct_call_async,
};

static PyMethodDef ct_call_function = {
    "call", ct_call, METH_O,
    "call(callee, /)\n--\n\n"
    "Call a coroutine with its type known: `value = yield from call(child())` or `value = await call(child())`.\n\n"
    "The same as `value = yield child()`, at any depth. TypeError if it is no coroutine.",
};

/* Return the function `call`. The arguments are those of `trampoline._base`. */
static PyObject *ct_make_call(PyObject *is_coroutine, PyObject *no_coroutine, PyObject *exception_of, PyObject *module) {
    ct_is_coroutine = Py_NewRef(is_coroutine);
    ct_no_coroutine = Py_NewRef(no_coroutine);
    ct_exception_of = Py_NewRef(exception_of);
    return (ct_no_args = PyTuple_New(0)) == NULL || PyType_Ready(&ct_call_type) < 0 ? NULL : PyCFunction_NewEx(&ct_call_function, NULL, module);
}
