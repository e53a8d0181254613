/* The op GfDouble, y = 2 x of floats, by TensorFlow's C API; it needs no header of TensorFlow's. */
#include <stddef.h>
#include <stdint.h>

extern void *TF_NewStatus(void), *TF_NewOpDefinitionBuilder(const char *), *TF_TensorData(void *);
extern void *TF_AllocateOutput(void *, int, int, const int64_t *, int, size_t, void *);
extern void *TF_NewKernelBuilder(const char *, const char *, void *(*)(void *),
                                 void (*)(void *, void *), void (*)(void *));
extern void TF_OpDefinitionBuilderAddInput(void *, const char *);
extern void TF_OpDefinitionBuilderAddOutput(void *, const char *);
extern void TF_OpDefinitionBuilderSetShapeInferenceFunction(void *, void (*)(void *, void *));
extern void TF_ShapeInferenceContextSetUnknownShape(void *, void *);
extern void TF_RegisterOpDefinition(void *, void *);
extern void TF_RegisterKernelBuilder(const char *, void *, void *);
extern void TF_GetInput(void *, int, void **, void *);
extern void TF_DeleteTensor(void *), TF_DeleteStatus(void *);
extern int TF_NumDims(const void *);
extern int64_t TF_Dim(const void *, int);
extern size_t TF_TensorByteSize(const void *);

enum { FLOAT = 1, MOST_AXES = 8 };

static void compute(void *kernel, void *context) {
  void *status = TF_NewStatus(), *x = NULL;
  int64_t dims[MOST_AXES];
  TF_GetInput(context, 0, &x, status);
  for (int i = 0; i < TF_NumDims(x); ++i) dims[i] = TF_Dim(x, i);
  size_t size = TF_TensorByteSize(x);
  void *y = TF_AllocateOutput(context, 0, FLOAT, dims, TF_NumDims(x), size, status);
  const float *from = TF_TensorData(x);
  float *to = TF_TensorData(y);
  for (size_t i = 0; i < size / sizeof(float); ++i) to[i] = 2 * from[i];
  TF_DeleteTensor(x);
  TF_DeleteTensor(y);
  TF_DeleteStatus(status);
}

__attribute__((constructor)) static void load(void) {
  void *status = TF_NewStatus(), *op = TF_NewOpDefinitionBuilder("GfDouble");
  TF_OpDefinitionBuilderAddInput(op, "x: float");
  TF_OpDefinitionBuilderAddOutput(op, "y: float");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(op, status);
  void *kernel = TF_NewKernelBuilder("GfDouble", "CPU", NULL, compute, NULL);
  TF_RegisterKernelBuilder("GfDouble", kernel, status);
  TF_DeleteStatus(status);
}
