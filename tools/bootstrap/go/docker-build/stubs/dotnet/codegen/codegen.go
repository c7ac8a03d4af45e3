// Package codegen stands in for a code generator of which the plugin uses this one struct.
package codegen

type CSharpPackageInfo struct {
	RespectSchemaVersion bool
	PackageReferences    map[string]string
}
