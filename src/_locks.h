/* A `Lock` that is free and a `Semaphore` of which some is left, classes of the layer above: what their `at_once()` does, without a call of it. */

static PyTypeObject *ct_lock_type, *ct_semaphore_type, *ct_held_type;  /* NULL: not known */
static Py_ssize_t ct_lock_holder, ct_semaphore_value, ct_held_waited;

static int ct_know_locks(PyObject *lock, PyObject *semaphore, PyObject *held) {
    if (CT_FREE_THREADED) return 0;  /* another thread may have it at the same time: `at_once()` it is */
    if (ct_offset(lock, "_holder", &ct_lock_holder) || ct_offset(semaphore, "_value", &ct_semaphore_value)
        || ct_offset(held, "_waited", &ct_held_waited)) return -1;
    ct_lock_type = (PyTypeObject *)Py_NewRef(lock);
    ct_semaphore_type = (PyTypeObject *)Py_NewRef(semaphore);
    ct_held_type = (PyTypeObject *)Py_NewRef(held);
    return 0;
}

/* Return what gives it back, or NULL without an error: whoever yielded it has to ask `at_once()`. */
static PyObject *ct_have(PyObject *waited, PyObject *pseudothread) {
    int locks = Py_TYPE(waited) == ct_lock_type;
    PyObject **slot = &ct_slot(waited, locks ? ct_lock_holder : ct_semaphore_value), *old = *slot, *now, *held;
    long left = locks || old == NULL || !PyLong_CheckExact(old) ? 0 : PyLong_AsLong(old);
    if (locks ? old != Py_None : left <= 0) {
        PyErr_Clear();
        return NULL;
    }
    now = locks ? Py_NewRef(pseudothread) : PyLong_FromLong(left - 1);
    held = now != NULL ? ct_held_type->tp_alloc(ct_held_type, 0) : NULL;
    if (held == NULL) {
        Py_XDECREF(now);
        PyErr_Clear();
        return NULL;
    }
    ct_slot(held, ct_held_waited) = Py_NewRef(waited);
    *slot = now;
    Py_DECREF(old);
    return held;
}
