/* `throw()` and `gi_yieldfrom` (`cr_await`) of generators and native coroutines, without looking them up: an error that unwinds a stack needs
both at each level. */

typedef PyObject *(*ct_Throw)(PyObject *, PyObject *const *, Py_ssize_t);
typedef struct { ct_Throw throw_; getter inner; const char *inner_name; } ct_Ways;

static ct_Ways ct_generator, ct_coroutine;
static PyObject *ct_throw_name;  /* interned: another string each time would fill CPython's cache of methods */

static void ct_know_ways(ct_Ways *ways, PyTypeObject *type, const char *inner_name) {
    PyMethodDef *method;
    PyGetSetDef *member;
    ways->inner_name = inner_name;
    for (method = type->tp_methods; method != NULL && method->ml_name != NULL; method++)
        if (strcmp(method->ml_name, "throw") == 0 && method->ml_flags == METH_FASTCALL) ways->throw_ = (ct_Throw)(void (*)(void))method->ml_meth;
    for (member = type->tp_getset; member != NULL && member->name != NULL; member++)
        if (strcmp(member->name, inner_name) == 0) ways->inner = member->get;
}

static void ct_know_all_ways(void) {
    ct_throw_name = PyUnicode_InternFromString("throw");
    ct_know_ways(&ct_generator, &PyGen_Type, "gi_yieldfrom");
    ct_know_ways(&ct_coroutine, &PyCoro_Type, "cr_await");
}

/* What the coroutine, a generator or a native one, delegates to by `yield from` or `await`: a new reference, to None if to nothing. */
static inline PyObject *ct_inner_of(PyObject *coroutine) {
    ct_Ways *ways = PyGen_CheckExact(coroutine) ? &ct_generator : &ct_coroutine;
    return ways->inner != NULL ? ways->inner(coroutine, NULL) : PyObject_GetAttrString(coroutine, ways->inner_name);
}

static inline PyObject *ct_throw_into(PyObject *coroutine, PyObject *error) {
    ct_Ways *ways = PyGen_CheckExact(coroutine) ? &ct_generator : &ct_coroutine;
    return ways->throw_ != NULL ? ways->throw_(coroutine, &error, 1) : PyObject_CallMethodOneArg(coroutine, ct_throw_name, error);
}
