/* What `put()` and `get()` of a channel return, in C: a Suspension without a frame, whose instances are used again.

Awaited, or yielded from, it is done at once where nobody has to be waited for, and only else yielded. What it does is in `_channel.pxi`. */

typedef struct ct_Operation {
    PyObject_HEAD
    PyObject *weakrefs;  /* where Suspension has them, before CPython 3.12 */
    PyObject *channel;
    PyObject *value;  /* to be put; or what is given when the channel is closed and empty, NULL: ChannelClosed */
    PyObject *pseudothread;  /* who waits for it, or was handed a value and has not been sent it yet */
    struct ct_Operation *before, *after;  /* of those that wait at the same end of the channel */
    PyObject *stop;  /* perhaps the StopIteration that told the value, see `_call.h` */
    char kind, waits, yielded;
} ct_Operation;

enum { CT_PUT, CT_GET, CT_NEXT };
enum { CT_WAIT, CT_DONE, CT_FAILED };

static PyTypeObject *ct_operation_type;
static int (*ct_operate)(ct_Operation *operation, PyObject **got), (*ct_operate_slowly)(ct_Operation *operation, PyObject **got);
static PyObject *ct_suspension_iter, *ct_operation_told, *ct_no_copy;  /* functions in Python */
static CT_EACH_THREAD int ct_promptly;  /* how many more may be done at once in this turn */
#if !CT_FREE_THREADED
static ct_Operation *ct_operations[64];  /* let go, to be used again */
static int ct_operations_kept;
#endif

/* Have an object that is being deallocated begin anew, with one reference. */
#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
#define ct_revive(object) _Py_NewReference((PyObject *)(object))
#else
#define ct_revive(object) Py_SET_REFCNT((PyObject *)(object), 1)
#endif

CT_HOT PyObject *ct_operation(PyObject *channel, PyObject *value, char kind) {
    ct_Operation *operation;
#if !CT_FREE_THREADED
    if (ct_operations_kept) operation = ct_operations[--ct_operations_kept];
    else
#endif
    {
        if ((operation = PyObject_GC_New(ct_Operation, ct_operation_type)) == NULL) return NULL;
        operation->pseudothread = operation->weakrefs = operation->stop = operation->channel = operation->value = NULL;
        operation->waits = operation->yielded = 0;
        PyObject_GC_Track(operation);
    }
    operation->channel = Py_NewRef(channel);
    operation->value = Py_XNewRef(value);
    operation->kind = kind;
    return (PyObject *)operation;
}

/* There is no tp_clear: whatever cycle it stands in, the channel, its queue or the pseudothread can be cleared. */
static int ct_operation_traverse(ct_Operation *operation, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(operation));
    Py_VISIT(operation->channel);
    Py_VISIT(operation->value);
    Py_VISIT(operation->pseudothread);
    Py_VISIT(operation->stop);
    return 0;
}

/* What is rarely there when one is let go. */
static void ct_operation_clear(ct_Operation *operation) {
    PyObject *pseudothread = operation->pseudothread, *stop = operation->stop;
    operation->pseudothread = operation->stop = NULL;
    if (stop != NULL) ct_drop_stop(stop);
    Py_XDECREF(pseudothread);
}

/* One that is kept has a reference, ours, and stays tracked by the garbage collector: that saves a third of what making one costs. */
static void ct_operation_dealloc(ct_Operation *operation) {
    PyObject *channel = operation->channel, *value = operation->value;
    if (*(PyObject **)((char *)operation + ct_operation_type->tp_weaklistoffset) != NULL) PyObject_ClearWeakRefs((PyObject *)operation);
    operation->channel = operation->value = NULL;
    operation->yielded = 0;
    ct_revive(operation);
    if (operation->stop != NULL || operation->pseudothread != NULL) ct_operation_clear(operation);
#if !CT_FREE_THREADED
    if (ct_operations_kept < (int)(sizeof ct_operations / sizeof *ct_operations)) ct_operations[ct_operations_kept++] = operation;
    else
#endif
    {
        PyObject_GC_UnTrack(operation);
        PyObject_GC_Del(operation);
        Py_DECREF(ct_operation_type);
    }
    Py_XDECREF(value);
    Py_DECREF(channel);
}

/* To await it once more while it is awaited is what it is with any Suspension. */
static PyObject *ct_operation_iter(ct_Operation *operation) {
    return operation->yielded ? PyObject_CallOneArg(ct_suspension_iter, (PyObject *)operation) : Py_NewRef(operation);
}

CT_HOT PySendResult ct_operation_resume(ct_Operation *operation, PyObject *value, PyObject **got) {
    int how = CT_WAIT;
    if (!operation->yielded) {
        if (ct_promptly > 0) how = ct_operate(operation, got);
        if (how == CT_DONE) {
            ct_promptly--;
            return PYGEN_RETURN;
        }
        if (how == CT_FAILED) Py_DECREF(*got);  /* the core asks again, and throws it */
        operation->yielded = 1;
        *got = Py_NewRef(operation);
        return PYGEN_NEXT;
    }
    operation->yielded = 0;
    *got = Py_NewRef(value);
    return PYGEN_RETURN;
}

CT_HOT PyObject *ct_operation_send(ct_Operation *operation, PyObject *value) {
    PyObject *got;
    if (ct_operation_resume(operation, value, &got) == PYGEN_NEXT) return got;
    if (got != Py_None) return ct_stop((PyObject *)operation, got, &operation->stop);
    Py_DECREF(got);
    return NULL;
}

static PyObject *ct_operation_next(ct_Operation *operation) {
    return ct_operation_send(operation, Py_None);
}

static PyObject *ct_operation_by_hand(ct_Operation *operation, PyObject *value) {
    PyObject *got = ct_operation_send(operation, value);
    if (got == NULL && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
    return got;
}

static PyObject *ct_operation_throw(ct_Operation *operation, PyObject *const *args, Py_ssize_t count) {
    operation->yielded = 0;
    return ct_throw(args, count);
}

static PyObject *ct_operation_close(ct_Operation *operation, PyObject *nothing) {
    (void)nothing;
    operation->yielded = 0;
    Py_RETURN_NONE;
}

static PyObject *ct_operation_repr(PyObject *operation) {
    return PyObject_CallOneArg(ct_operation_told, operation);
}

static PyObject *ct_channel_put(PyObject *channel, PyObject *value) {
    return ct_operation(channel, value, CT_PUT);
}

static PyObject *ct_channel_get(PyObject *channel, PyObject *const *args, Py_ssize_t count) {
    if (count <= 1) return ct_operation(channel, count ? args[0] : NULL, CT_GET);
    return PyErr_Format(PyExc_TypeError, "get() takes one default, not %zd", count);
}

static PyMethodDef ct_channel_methods[] = {
    {"put", ct_channel_put, METH_O,
     "put($self, value, /)\n--\n\n"
     "Put `value` into the channel: `yield channel.put(value)`. It waits while there is no room.\n\n"
     "ChannelClosed if it is closed, or is closed meanwhile: the value is not put then."},
    {"get", (PyCFunction)(void (*)(void))ct_channel_get, METH_FASTCALL,
     "get($self, /, *default)\n--\n\n"
     "Take the first value out of the channel: `value = yield channel.get()`. It waits while there is none.\n\n"
     "When the channel is closed and empty, or is closed meanwhile, that gives `default`; without one it is ChannelClosed."},
};

/* Give the class two methods, which Cython would make slower. */
static int ct_make_channel(PyTypeObject *channel) {
    for (int i = 0; i < 2; i++) {
        PyObject *method = PyDescr_NewMethod(channel, &ct_channel_methods[i]);
        if (method == NULL || PyDict_SetItemString(channel->tp_dict, ct_channel_methods[i].ml_name, method) < 0) return -1;
        Py_DECREF(method);
    }
    PyType_Modified(channel);
    return 0;
}

static PyObject *ct_operation_reduce(PyObject *operation, PyObject *nothing) {
    PyObject *error = PyObject_CallOneArg(ct_no_copy, operation);
    (void)nothing;
    if (error != NULL) ct_restore(error);
    return NULL;
}

/* Make the type. `suspend`, `withdraw` and `take_back` are what the core asks a suspension for. */
static int ct_make_operation(PyObject *suspension, PyObject *channel, PyObject *told, PyObject *no_copy, int (*operate)(ct_Operation *, PyObject **),
                             int (*operate_slowly)(ct_Operation *, PyObject **), PyCFunction suspend, PyCFunction withdraw, PyCFunction take_back) {
    static PyMethodDef methods[] = {
        {"send", (PyCFunction)ct_operation_by_hand, METH_O, NULL},
        {"throw", (PyCFunction)(void (*)(void))ct_operation_throw, METH_FASTCALL, NULL},
        {"close", (PyCFunction)ct_operation_close, METH_NOARGS, NULL},
        {"__reduce__", ct_operation_reduce, METH_NOARGS, NULL},
        {"suspend", NULL, METH_O, NULL},
        {"withdraw", NULL, METH_O, NULL},
        {"take_back", NULL, METH_VARARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, ct_operation_dealloc},
        {Py_tp_traverse, ct_operation_traverse},
        {Py_tp_repr, ct_operation_repr},
        {Py_tp_iter, ct_operation_iter},
        {Py_tp_iternext, ct_operation_next},
        {Py_am_await, ct_operation_iter},
        {Py_am_send, ct_operation_resume},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    static PyType_Spec spec = {
        "trampoline._ctrampoline.Operation", sizeof(ct_Operation), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots,
    };
    PyObject *bases = PyTuple_Pack(1, suspension);
    methods[4].ml_meth = suspend, methods[5].ml_meth = withdraw, methods[6].ml_meth = take_back;
    ct_operate = operate, ct_operate_slowly = operate_slowly;
    ct_operation_told = Py_NewRef(told);
    ct_no_copy = Py_NewRef(no_copy);
    ct_suspension_iter = PyObject_GetAttrString(suspension, "__iter__");
    ct_operation_type = bases == NULL || ct_suspension_iter == NULL ? NULL : (PyTypeObject *)PyType_FromSpecWithBases(&spec, bases);
    Py_XDECREF(bases);
    return ct_operation_type == NULL ? -1 : ct_make_channel((PyTypeObject *)channel);
}
