//! Where the engine keeps what, by minor version. A table (`layouts.csv`, made with `offsetof`
//! against each version's headers), and nothing that reads memory.
//!
//! Two of the rows behind the offsets are none: `packed_element` is the size of a packed array's element (a whole
//! bucket up to 8.1, a bare value later); `map_ptr_extra` says that a map pointer that is no
//! offset is dereferenced once more. The last three rows are of structures of SPL that no header
//! shows: where a list counts its elements, where an element of a list has its value, and where one
//! of an object storage has its data.

use std::sync::OnceLock;

const TABLE: &str = include_str!("layouts.csv");

macro_rules! layout {
    ($($field:ident = $name:literal,)*) => {
        /// The offsets (bytes) and sizes of one minor version. Fields are named after the
        /// engine's structures; the table's first column has the full names.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub struct Layout {
            /// The minor version, as `8.2`.
            pub version: String,
            $(pub $field: u32,)*
        }

        impl Layout {
            fn from_column(version: &str, value: impl Fn(&str) -> u32) -> Layout {
                Layout { version: version.to_owned(), $($field: value($name),)* }
            }

            /// Every field by its name in the table, to be moved about by whoever tests how wrong
            /// offsets are refused.
            pub fn fields_mut(&mut self) -> Vec<(&'static str, &mut u32)> {
                vec![$(($name, &mut self.$field),)*]
            }
        }
    };
}

layout! {
    api = "api",
    eg_symbol_table = "zend_executor_globals.symbol_table",
    eg_function_table = "zend_executor_globals.function_table",
    eg_class_table = "zend_executor_globals.class_table",
    eg_constants = "zend_executor_globals.zend_constants",
    eg_vm_stack = "zend_executor_globals.vm_stack",
    eg_current_execute_data = "zend_executor_globals.current_execute_data",
    eg_regular_list = "zend_executor_globals.regular_list",
    eg_user_error_handler = "zend_executor_globals.user_error_handler",
    eg_user_exception_handler = "zend_executor_globals.user_exception_handler",
    eg_objects_store = "zend_executor_globals.objects_store",
    eg_exception = "zend_executor_globals.exception",
    eg_size = "sizeof.zend_executor_globals",
    cg_size = "sizeof.zend_compiler_globals",
    store_buckets = "zend_objects_store.object_buckets",
    store_top = "zend_objects_store.top",
    store_size = "zend_objects_store.size",
    cg_map_ptr_base = "zend_compiler_globals.map_ptr_base",
    obj_handle = "zend_object.handle",
    obj_ce = "zend_object.ce",
    obj_handlers = "zend_object.handlers",
    obj_properties = "zend_object.properties",
    obj_slots = "zend_object.properties_table",
    handlers_offset = "zend_object_handlers.offset",
    handlers_free_obj = "zend_object_handlers.free_obj",
    ce_type = "zend_class_entry.type",
    ce_name = "zend_class_entry.name",
    ce_parent = "zend_class_entry.parent",
    ce_flags = "zend_class_entry.ce_flags",
    ce_properties = "zend_class_entry.default_properties_count",
    ce_statics = "zend_class_entry.default_static_members_count",
    ce_statics_ptr = "zend_class_entry.static_members_table__ptr",
    ce_function_table = "zend_class_entry.function_table",
    ce_properties_info = "zend_class_entry.properties_info",
    ce_constants_table = "zend_class_entry.constants_table",
    prop_offset = "zend_property_info.offset",
    prop_flags = "zend_property_info.flags",
    prop_name = "zend_property_info.name",
    prop_ce = "zend_property_info.ce",
    str_len = "zend_string.len",
    str_val = "zend_string.val",
    arr_flags = "zend_array.u.flags",
    arr_mask = "zend_array.nTableMask",
    arr_data = "zend_array.arData",
    arr_used = "zend_array.nNumUsed",
    arr_count = "zend_array.nNumOfElements",
    arr_size = "zend_array.nTableSize",
    bucket_size = "sizeof.Bucket",
    bucket_key = "Bucket.key",
    ref_val = "zend_reference.val",
    res_handle = "zend_resource.handle",
    res_type = "zend_resource.type",
    res_ptr = "zend_resource.ptr",
    dtor_type_name = "zend_rsrc_list_dtors_entry.type_name",
    dtor_resource_id = "zend_rsrc_list_dtors_entry.resource_id",
    ex_opline = "zend_execute_data.opline",
    ex_func = "zend_execute_data.func",
    ex_this = "zend_execute_data.This",
    ex_call_info = "zend_execute_data.call_info",
    ex_num_args = "zend_execute_data.num_args",
    ex_prev = "zend_execute_data.prev_execute_data",
    ex_slots = "const.ZEND_CALL_FRAME_SLOT",
    op_type = "zend_op_array.type",
    op_fn_flags = "zend_op_array.fn_flags",
    op_name = "zend_op_array.function_name",
    op_scope = "zend_op_array.scope",
    op_num_args = "zend_op_array.num_args",
    op_last_var = "zend_op_array.last_var",
    op_vars = "zend_op_array.vars",
    op_temporaries = "zend_op_array.T",
    op_opcodes = "zend_op_array.opcodes",
    op_last = "zend_op_array.last",
    op_statics_ptr = "zend_op_array.static_variables_ptr__ptr",
    op_filename = "zend_op_array.filename",
    op_line_start = "zend_op_array.line_start",
    opcode_size = "sizeof.zend_op",
    opcode_line = "zend_op.lineno",
    internal_handler = "zend_internal_function.handler",
    stream_ops = "php_stream.ops",
    stream_abstract = "php_stream.abstract",
    stream_wrapperdata = "php_stream.wrapperdata",
    stream_ctx = "php_stream.ctx",
    stream_readbuf = "php_stream.readbuf",
    ops_label = "php_stream_ops.label",
    closure_func = "zend_closure.func",
    closure_this = "zend_closure.this_ptr",
    generator_execute_data = "zend_generator.execute_data",
    generator_value = "zend_generator.value",
    generator_retval = "zend_generator.retval",
    fiber_execute_data = "zend_fiber.execute_data",
    fiber_stack_bottom = "zend_fiber.stack_bottom",
    fiber_fci = "zend_fiber.fci",
    type_indirect = "const.IS_INDIRECT",
    type_ptr = "const.IS_PTR",
    packed_element = "packed_element",
    map_ptr_extra = "map_ptr_extra",
    list_count = "list_count",
    list_element_value = "list_element_value",
    storage_element_data = "storage_element_data",
    op_arg_info = "zend_op_array.arg_info",
    op_line_end = "zend_op_array.line_end",
    op_last_literal = "zend_op_array.last_literal",
    op_dynamic_count = "zend_op_array.num_dynamic_func_defs",
    op_literals = "zend_op_array.literals",
    op_dynamic = "zend_op_array.dynamic_func_defs",
    prop_type = "zend_property_info.type",
    prop_hooks = "zend_property_info.hooks",
    last_opcode = "const.ZEND_VM_LAST_OPCODE",
}

impl Layout {
    /// Whether neighbours stand beside each other as they do in every version: what no copy may
    /// happen to show (a generator that has not yielded, say).
    pub fn is_consistent(&self) -> bool {
        self.generator_value == self.generator_execute_data + 16
            && self.generator_retval == self.generator_value + 32
            && (self.fiber_execute_data == 0 || self.fiber_stack_bottom == self.fiber_execute_data + 8)
            && self.eg_user_exception_handler == self.eg_user_error_handler + 16
            && self.eg_objects_store + 24 <= self.eg_exception
            && self.store_size == self.store_top + 4
            // The two shapes that SPL's structures have had.
            && matches!(
                (self.list_count, self.list_element_value, self.storage_element_data),
                (16, 16, 8) | (32, 24, 16)
            )
            // The tables that statics start from stand before and behind these.
            && self.ce_statics_ptr == self.ce_statics + 20
            && self.op_statics_ptr + 56 == self.op_filename
    }
}

/// The layouts that are known, in the table's order.
pub fn known() -> &'static [Layout] {
    static KNOWN: OnceLock<Vec<Layout>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut rows = TABLE.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let versions = rows.next().expect("the table has a header");
        let rows: Vec<_> = rows.collect();
        (1..versions.len())
            .map(|column| {
                Layout::from_column(versions[column], |name| {
                    let row = rows.iter().find(|row| row[0] == name);
                    row.and_then(|row| row[column].parse().ok()).unwrap_or_else(|| panic!("no {name} in the table"))
                })
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let versions: Vec<_> = known().iter().map(|l| l.version.as_str()).collect();
        assert!(known().iter().all(Layout::is_consistent));
        assert_eq!(versions, ["7.4", "8.1", "8.2", "8.3", "8.4", "8.5"]);
        let mut first = known()[0].clone();
        assert_eq!(first.fields_mut().len(), TABLE.lines().count() - 1);
    }
}
