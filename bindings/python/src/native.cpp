// sealwire._native: the C API as Python sees it; everything asyncio lies in the Python modules above it.
#include <pybind11/pybind11.h>

#include "sealwire/sealwire.h"

PYBIND11_MODULE(_native, module) {
    module.def("version", &sw_version, "The release of the library inside, e.g. '0.1.0'.");
    module.def("abi_version", &sw_abi_version, "The ABI number of the library inside.");
}
