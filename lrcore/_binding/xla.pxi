# A step as a target of XLA's foreign function interface, which lrcore/jax_ffi.py
# registers.
#
# The structs are those of version 0.3 of XLA's interface in C (xla/ffi/api/c_api.h), as
# far as a step reads or writes them.  XLA asks a target for its version before its
# first call, and refuses one that it does not support.

cdef enum:
    XLA_MAJOR = 0
    XLA_MINOR = 3
    XLA_METADATA = 1  # the type of an extension
    XLA_EXECUTE = 3  # a stage
    XLA_INVALID_ARGUMENT = 3
    XLA_F32 = 11
    XLA_F64 = 12

cdef struct XlaExtension:
    size_t size
    int type
    void *next
    XlaMetadata *metadata  # if that is its type
cdef struct XlaVersion:
    size_t size
    void *extension
    int major
    int minor
cdef struct XlaMetadata:
    size_t size
    XlaVersion version
    uint32_t traits
cdef struct XlaError:
    size_t size
    void *extension
    const char *message
    int code
cdef struct XlaApi:
    size_t size
    void *extension
    XlaVersion version
    void *internal
    void *(*create_error)(XlaError *) noexcept nogil
cdef struct XlaBuffer:
    size_t size
    void *extension
    int dtype
    void *data
    int64_t rank
    int64_t *dims
cdef struct XlaBuffers:
    size_t size
    void *extension
    int64_t n
    int *types
    XlaBuffer **buffer
cdef struct XlaText:
    const char *at
    size_t n
cdef struct XlaAttributes:
    size_t size
    void *extension
    int64_t n
    int *types
    XlaText **names
    XlaText **texts  # of attributes that are texts
cdef struct XlaFrame:
    size_t size
    XlaExtension *extension
    XlaApi *api
    void *context
    int stage
    XlaBuffers args
    XlaBuffers results
    XlaAttributes attributes


XLA_STEPS = {}
"""What lrcore.jax_ffi has given: {name: (part, fold, num_threads, keep_subnormals)}.

fold : (steps taken, learning rate or None) -> the Folded of the part.
"""


cdef size_t xla_size(const XlaBuffer *b) noexcept:
    cdef size_t n = 1
    cdef int64_t k
    for k in range(b.rank):
        n *= <size_t>b.dims[k]
    return n


cdef double xla_rate(const XlaBuffer *b) noexcept:
    return (<float *>b.data)[0] if b.dtype == XLA_F32 else (<double *>b.data)[0]


cdef int xla_run(XlaFrame *frame) except -1:
    """Take a step.

    Arguments: the number of steps taken, an int32; for each array its gradient, itself
    and its states; then, perhaps, the learning rate.  Results, at the same addresses:
    each array and its states.  The attribute is a name in XLA_STEPS.
    """
    cdef XlaText *name = frame.attributes.texts[0]
    cdef XlaBuffer **arg = frame.args.buffer
    cdef XlaBuffer **result = frame.results.buffer
    cdef lrc_plan plan
    cdef lrc_group group
    cdef lrc_tensor *t
    cdef Folded folded
    cdef Py_ssize_t i, k
    part, fold, num_threads, keep_subnormals = XLA_STEPS[name.at[:name.n]]
    cdef Py_ssize_t n_states = len(RULES[part.rule].states)
    cdef Py_ssize_t n = frame.results.n // (1 + n_states)
    cdef int64_t step = (<int *>arg[0].data)[0] + 1
    cdef bint given = frame.args.n > 1 + n * (2 + n_states)
    folded = fold(step - 1, xla_rate(arg[frame.args.n - 1]) if given else None)
    memset(&plan, 0, sizeof(plan))
    memset(&group, 0, sizeof(group))
    set_group(&group, part)
    set_numbers(&group, folded, step)
    set_coefs(&group, folded.coefs(step, folded.lr, folded.decay))
    plan.group, plan.n_groups, plan.n_tensors = &group, 1, n
    plan.num_threads, plan.keep_subnormals = num_threads, keep_subnormals
    try:
        plan.tensor = <lrc_tensor *>allocate(n, sizeof(lrc_tensor))
        arg += 1
        for i in range(n):
            t = plan.tensor + i
            t.g, t.p, t.n = arg[0].data, arg[1].data, xla_size(arg[1])
            t.dtype = LRC_F32 if arg[1].dtype == XLA_F32 else LRC_F64
            for k in range(1 + n_states):
                if result[k].data != arg[1 + k].data:
                    raise ValueError("a result is not at its argument's address")
                if k > 0:
                    t.s[k - 1] = arg[1 + k].data
            arg += 2 + n_states
            result += 1 + n_states
        plan.work = allocate(lrc_plan_tensors(&plan), 1)
        with nogil:
            lrc_step(&plan)
    finally:
        PyMem_Free(plan.tensor)
        PyMem_Free(plan.work)
    return 0


cdef void *xla_refused(XlaFrame *frame, error):
    cdef bytes message = f"lrcore: {type(error).__name__}: {error}".encode()
    cdef XlaError made
    made.size, made.extension = sizeof(made), NULL
    made.message, made.code = message, XLA_INVALID_ARGUMENT
    return frame.api.create_error(&made)


cdef void *xla_step(XlaFrame *frame) noexcept with gil:
    """The target."""
    cdef XlaMetadata *metadata
    if frame.extension != NULL and frame.extension.type == XLA_METADATA:
        metadata = frame.extension.metadata
        metadata.version.major, metadata.version.minor = XLA_MAJOR, XLA_MINOR
        metadata.traits = 0
        return NULL
    if frame.stage != XLA_EXECUTE:
        return NULL
    try:
        xla_run(frame)
    except BaseException as error:
        return xla_refused(frame, error)
    return NULL


def xla_address():
    """The address of the target."""
    return <uintptr_t><void *>&xla_step
