/* What `sleep()` makes, and what sets the deadline of a `timeout()`, in C: a simulation makes millions, and the run loop parks and wakes who
yields one without calling anything in Python. Their methods, which only others call, are added by `_sleep.pxi`. They derive from `Suspension`,
a class in Python, and are one struct. */

#include <structmember.h>

typedef struct {
    PyObject_HEAD
#if PY_VERSION_HEX < 0x030C0000
    PyObject *references;  /* the weak ones; from 3.12 on CPython has a place for them before the object */
#endif
    double seconds;
    unsigned long long number;  /* of its entry in the heap, 0 if it has none that counts */
    PyObject *pseudothread;  /* who waits for it, or has been resumed before its time */
    PyObject *deadline;  /* where a reactor of the user's keeps it */
    PyObject *error;  /* of a limit whose time is up: what unwinds the coroutine */
    char limits;  /* whether a limit is among those that its trampoline counts */
    char told;  /* whether the error was thrown in at once */
} ct_Sleep;

static PyTypeObject *ct_sleep_type, *ct_limit_type;
static PyObject *ct_seconds_of, *ct_seconds_name;
#if !CT_FREE_THREADED
static ct_Sleep *ct_sleeps[256];  /* let go, to be used again */
static int ct_sleeps_kept;
#endif

CT_HOT int ct_set_seconds(ct_Sleep *sleep, PyObject *value) {
    PyObject *known;
    const char *where = PyType_IsSubtype(Py_TYPE(sleep), ct_sleep_type) ? "sleep()" : "timeout()";
    if (PyFloat_CheckExact(value)) {
        sleep->seconds = PyFloat_AS_DOUBLE(value);
        if (sleep->seconds >= 0) return 0;
    } else if (PyLong_CheckExact(value)) {
        sleep->seconds = PyLong_AsDouble(value);
        if (sleep->seconds >= 0) return 0;
        PyErr_Clear();
    }
    if ((known = PyObject_CallFunction(ct_seconds_of, "sO", where, value)) == NULL) return -1;
    sleep->seconds = PyFloat_AsDouble(known);
    Py_DECREF(known);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *ct_sleep_call(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *names) {
    Py_ssize_t many = PyVectorcall_NARGS(nargsf) + (names != NULL ? PyTuple_GET_SIZE(names) : 0);
    ct_Sleep *sleep;
    int same = 1;
    if (names != NULL && many == 1) {
        same = PyObject_RichCompareBool(PyTuple_GET_ITEM(names, 0), ct_seconds_name, Py_EQ);
        if (same < 0) return NULL;
    }
    if (many != 1 || !same) {
        PyErr_Format(PyExc_TypeError, "%s() takes one argument: seconds", (PyTypeObject *)type == ct_sleep_type ? "sleep" : "Limit");
        return NULL;
    }
#if !CT_FREE_THREADED
    if (ct_sleeps_kept) sleep = (ct_Sleep *)PyObject_Init((PyObject *)ct_sleeps[--ct_sleeps_kept], (PyTypeObject *)type);
    else
#endif
    if ((sleep = PyObject_GC_New(ct_Sleep, (PyTypeObject *)type)) == NULL) return NULL;
#if PY_VERSION_HEX < 0x030C0000
    sleep->references = NULL;
#endif
    sleep->number = 0;
    sleep->pseudothread = sleep->deadline = sleep->error = NULL;
    sleep->limits = sleep->told = 0;
    PyObject_GC_Track(sleep);
    if (ct_set_seconds(sleep, args[0]) < 0) Py_CLEAR(sleep);
    return (PyObject *)sleep;
}

static int ct_sleep_init(ct_Sleep *sleep, PyObject *args, PyObject *named) {  /* of a class derived from it */
    static char *names[] = {"seconds", NULL};
    PyObject *seconds;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O:sleep", names, &seconds)) return -1;
    return ct_set_seconds(sleep, seconds);
}

static int ct_sleep_traverse(ct_Sleep *sleep, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(sleep));
    Py_VISIT(sleep->pseudothread);
    Py_VISIT(sleep->deadline);
    Py_VISIT(sleep->error);
    return 0;
}

CT_HOT int ct_sleep_clear(ct_Sleep *sleep) {
    sleep->number = 0;
    Py_CLEAR(sleep->pseudothread);
    Py_CLEAR(sleep->deadline);
    Py_CLEAR(sleep->error);
    return 0;
}

static void ct_sleep_dealloc(ct_Sleep *sleep) {
    PyTypeObject *type = Py_TYPE(sleep);
    PyObject_GC_UnTrack(sleep);
    PyObject_ClearWeakRefs((PyObject *)sleep);
    ct_sleep_clear(sleep);
#if !CT_FREE_THREADED
    if ((type == ct_sleep_type || type == ct_limit_type) && ct_sleeps_kept < (int)(sizeof ct_sleeps / sizeof *ct_sleeps)) ct_sleeps[ct_sleeps_kept++] = sleep;
    else
#endif
    type->tp_free(sleep);
    Py_DECREF(type);
}

static PyObject *ct_sleep_repr(ct_Sleep *sleep) {
    const char *format = Py_TYPE(sleep) == ct_limit_type ? "timeout(%R, ...)" : "sleep(%R)";
    PyObject *seconds = PyFloat_FromDouble(sleep->seconds), *text = seconds != NULL ? PyUnicode_FromFormat(format, seconds) : NULL;
    Py_XDECREF(seconds);
    return text;
}

static PyObject *ct_limit_str(ct_Sleep *limit) {
    PyObject *seconds = PyFloat_FromDouble(limit->seconds), *text = NULL;
    if (seconds != NULL) text = PyUnicode_FromFormat("the %R seconds of timeout() were up", seconds);
    Py_XDECREF(seconds);
    return text;
}

static PyMemberDef ct_sleep_members[] = {{"seconds", T_DOUBLE, offsetof(ct_Sleep, seconds), READONLY, NULL}, {NULL, 0, 0, 0, NULL}};
static PyMemberDef ct_limit_members[] = {
    {"seconds", T_DOUBLE, offsetof(ct_Sleep, seconds), READONLY, NULL}, {"error", T_OBJECT, offsetof(ct_Sleep, error), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot ct_sleep_slots[] = {
    {Py_tp_doc, "sleep(seconds)\n--\n\n"
        "Wait for `seconds`: `yield sleep(0.5)`. With 0 all others that are queued have a turn; with `math.inf` it never ends.\n\n"
        "TypeError if it is no number, ValueError if it is negative or no number of seconds (nan)."},
    {Py_tp_init, ct_sleep_init}, {Py_tp_dealloc, ct_sleep_dealloc}, {Py_tp_traverse, ct_sleep_traverse}, {Py_tp_clear, ct_sleep_clear},
    {Py_tp_repr, ct_sleep_repr}, {Py_tp_members, ct_sleep_members}, {0, NULL},
};
static PyType_Spec ct_sleep_spec = {
    "trampoline._ctrampoline.sleep", sizeof(ct_Sleep), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, ct_sleep_slots,
};

static PyType_Slot ct_limit_slots[] = {
    {Py_tp_doc, "Limit(seconds)\n--\n\nTo yield it sets a deadline for whoever yields it, who goes on at once."},
    {Py_tp_init, ct_sleep_init}, {Py_tp_dealloc, ct_sleep_dealloc}, {Py_tp_traverse, ct_sleep_traverse}, {Py_tp_clear, ct_sleep_clear},
    {Py_tp_repr, ct_sleep_repr}, {Py_tp_str, ct_limit_str}, {Py_tp_members, ct_limit_members}, {0, NULL},
};
static PyType_Spec ct_limit_spec = {
    "trampoline._ctrampoline.Limit", sizeof(ct_Sleep), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, ct_limit_slots,
};

static PyObject *ct_make_one(PyType_Spec *spec, PyObject *suspension, PyTypeObject **type) {
    PyObject *bases = PyTuple_Pack(1, suspension);
    *type = bases != NULL ? (PyTypeObject *)PyType_FromSpecWithBases(spec, bases) : NULL;
    Py_XDECREF(bases);
    if (*type != NULL) (*type)->tp_vectorcall = ct_sleep_call;
    return Py_XNewRef((PyObject *)*type);
}

static PyObject *ct_make_sleep(PyObject *suspension, PyObject *seconds_of) {
    ct_seconds_of = Py_NewRef(seconds_of);
    ct_seconds_name = PyUnicode_InternFromString("seconds");
    return ct_seconds_name != NULL ? ct_make_one(&ct_sleep_spec, suspension, &ct_sleep_type) : NULL;
}

static PyObject *ct_make_limit(PyObject *suspension) {
    return ct_make_one(&ct_limit_spec, suspension, &ct_limit_type);
}
