// Wraps a planted fault in a library that an interpreter loads: Node.js calls this on loading it, Python by its name.
int planted(int, char**);

extern "C" void* napi_register_module_v1(void*, void*) {
    planted(1, nullptr);
    return nullptr;
}
