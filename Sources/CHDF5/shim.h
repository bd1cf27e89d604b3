#pragma once
#include <hdf5.h>
#include "probe.h"

/* Swift imports neither macros that call a function nor casts; each of these gives one its value. */

static inline hid_t sid_h5t_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t sid_h5t_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t sid_h5t_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t sid_h5t_int32(void) { return H5T_NATIVE_INT32; }
static inline hid_t sid_h5t_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t sid_h5t_uint64(void) { return H5T_NATIVE_UINT64; }
static inline hid_t sid_h5t_file_float(void) { return H5T_IEEE_F32LE; }
static inline hid_t sid_h5t_file_double(void) { return H5T_IEEE_F64LE; }
static inline hid_t sid_h5t_file_uint8(void) { return H5T_STD_U8LE; }
static inline hid_t sid_h5t_file_int32(void) { return H5T_STD_I32LE; }
static inline hid_t sid_h5t_file_int64(void) { return H5T_STD_I64LE; }
static inline hid_t sid_h5t_file_uint64(void) { return H5T_STD_U64LE; }
static inline hid_t sid_h5t_c_string(void) { return H5T_C_S1; }

static inline hid_t sid_h5p_file_create(void) { return H5P_FILE_CREATE; }
static inline hid_t sid_h5p_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t sid_h5p_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline hid_t sid_h5p_group_create(void) { return H5P_GROUP_CREATE; }

static inline unsigned sid_h5f_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned sid_h5f_truncate(void) { return H5F_ACC_TRUNC; }
static inline unsigned sid_h5p_creation_order(void) { return H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED; }
static inline unsigned sid_h5p_creation_order_tracked(void) { return H5P_CRT_ORDER_TRACKED; }
static inline size_t sid_h5t_variable(void) { return H5T_VARIABLE; }
static inline hid_t sid_h5e_default(void) { return H5E_DEFAULT; }
static inline haddr_t sid_haddr_undefined(void) { return HADDR_UNDEF; }
