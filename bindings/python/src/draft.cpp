// Draft: a route, a type and metadata, converted and encoded once; and where a message goes, which is a route or a draft.
#include "native.h"

#include <structmember.h>

namespace binding {

PyTypeObject* draft_type = nullptr;

namespace {

constexpr int kTypes = SW_BODY_CBOR + 1;
constexpr int kAny = -1;  // the body says its type, as everywhere: there is one draft of the core for each that came

struct Draft {
    PyObject_HEAD PyObject* route;  // str
    PyObject* extras;               // as Extras takes them
    PyObject* encode;               // of the Python half
    PyObject* kind;                 // str, or None
    sw_node node;
    int type;  // sw_body_type, or kAny
    sw_draft* made[kTypes];
};

Draft* draft_self(PyObject* object) { return reinterpret_cast<Draft*>(object); }

// Null with an exception set.
const sw_draft* draft_of(Draft* self, uint32_t type) {
    if (!self->route) return raise_failure(SW_ERR_STATE, "drafts are made by node.draft"), nullptr;
    if (type >= kTypes) return raise_failure(SW_ERR_ARG, "type is no value of sw_body_type"), nullptr;
    if (self->made[type]) return self->made[type];
    sw_text route{};
    Extras extras;
    if (!text_of(self->route, route) || !extras.set(self->extras)) return raise_argument(), nullptr;
    sw_draft_options options;
    sw_draft_options_init(&options);
    options.type = type;
    extras.give_metadata(options);
    const sw_result result = sw_draft_create(self->node, route, &options, &self->made[type]);
    if (result != SW_OK) return raise_result(result), nullptr;
    return self->made[type];
}

// (core, route, extras, type or -1, kind or None, encode)
int draft_init(PyObject* object, PyObject* args, PyObject*) {
    PyObject *core = nullptr, *route = nullptr, *extras = nullptr, *kind = nullptr, *encode = nullptr;
    int type = kAny;
    Draft* self = draft_self(object);
    if (!PyArg_ParseTuple(args, "O!UOiOO", core_type, &core, &route, &extras, &type, &kind, &encode)) {
        return raise_argument(), -1;
    }
    CoreState* state = state_of(reinterpret_cast<Core*>(core));
    if (!state) return -1;
    if (self->route) return raise_failure(SW_ERR_STATE, "this draft was made already"), -1;
    self->node = state->node;
    self->type = type;
    for (PyObject* each : {route, extras, kind, encode}) Py_INCREF(each);
    self->route = route, self->extras = extras, self->kind = kind, self->encode = encode;
    return draft_of(self, type == kAny ? uint32_t{SW_BODY_BYTES} : static_cast<uint32_t>(type)) ? 0 : -1;
}

void draft_dealloc(PyObject* object) {
    Draft* self = draft_self(object);
    PyTypeObject* type = Py_TYPE(object);
    for (sw_draft* each : self->made) sw_draft_free(each);
    for (PyObject* each : {self->route, self->extras, self->encode, self->kind}) Py_XDECREF(each);
    type->tp_free(object);
    Py_DECREF(type);
}

PyMemberDef draft_members[] = {
    {"route", T_OBJECT, offsetof(Draft, route), READONLY, nullptr},
    {"kind", T_OBJECT, offsetof(Draft, kind), READONLY, nullptr},
    {},
};

PyType_Slot draft_slots[] = {
    {Py_tp_init, reinterpret_cast<void*>(draft_init)},
    {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
    {Py_tp_dealloc, reinterpret_cast<void*>(draft_dealloc)},
    {Py_tp_members, draft_members},
    {},
};

PyType_Spec draft_spec = {"sealwire._native.Draft", sizeof(Draft), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                          draft_slots};

}  // namespace

bool Outgoing::set_draft(PyObject* object, PyObject* what) {
    Draft* self = draft_self(object);
    if (!(self->type < 0 ? body.set(what)
                         : body.set_as(static_cast<uint32_t>(self->type), what, self->kind, self->encode))) {
        return false;
    }
    draft_ = draft_of(self, body.type);
    return draft_ != nullptr;
}

bool add_draft_type(PyObject* module) {
    draft_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&draft_spec));
    if (!draft_type) return false;
    Py_INCREF(draft_type);
    return PyModule_AddObject(module, "Draft", reinterpret_cast<PyObject*>(draft_type)) == 0;
}

}  // namespace binding
