import nx from '@nx/eslint-plugin'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

const SOURCES = ['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts']
const TESTS = ['**/*.test.{ts,mjs}', 'packages/*/test/**', 'apps/*/test/**']
const TEST_SUPPORT = ['packages/*/src/testing/**/*.ts']
/** What the root tsconfig.json includes: the few rules that need types need their file to be in it. */
const TYPED = ['packages/*/{src,test}/**/*.ts', 'apps/*/{src,test}/**/*.ts', 'tools/**/*.ts', 'examples/**/*.ts']
const CONFIG_FILES = ['apps/*/src/config.ts', 'packages/*/src/**/config.ts', 'packages/*/src/**/*-config.ts']

/** Node runs the sources by stripping their types: what has a meaning at run time cannot be stripped. */
const NOT_STRIPPABLE = [
  { selector: 'TSEnumDeclaration', message: 'Type stripping knows no enums: use a literal union.' },
  { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'Type stripping knows no namespaces: use a module.' },
  { selector: 'TSParameterProperty', message: 'Type stripping knows no parameter properties: declare the field.' },
]
const HIDDEN_SURFACE = { selector: 'ExportAllDeclaration[exported=null]', message: 'Export by name: `export *` hides what the surface is.' }
const THROWN = ['ThrowStatement', 'CallExpression[callee.name="reject"]', 'CallExpression[callee.property.name="reject"]']
const BARE_ERROR = {
  selector: `:matches(${THROWN.join(', ')}) > NewExpression[callee.name="Error"]`,
  message: 'Give it a code: use an error class of the package, so that a caller can tell it from others.',
}
const ENVIRONMENT = [
  'MemberExpression[object.name="process"][property.name="env"]',
  'ImportDeclaration[source.value=/^(node:)?process$/] > ImportSpecifier[imported.name="env"]',
].map((selector) => ({ selector, message: 'Only config.ts reads the environment; take the value as an option.' }))
/** The defaults of data packages come from optional peers: absent in many installs, so neither code nor types may lean on them. */
const OPTIONAL_PEER = '/^@smart-whale\\u002Fcore-(?!resilience$)/'
const OPTIONAL_PEERS = ['ImportDeclaration', 'ExportNamedDeclaration', 'TSImportType'].map((node) => ({
  selector: `${node}[source.value=${OPTIONAL_PEER}]`,
  message: 'An optional peer: load it with `await import()` on first use, and describe it by a port of `@smart-whale/interfaces`.',
}))

const restrict = (...rules) => ({ 'no-restricted-syntax': ['error', ...rules.flat()] })
const IN_SOURCES = [NOT_STRIPPABLE, HIDDEN_SURFACE, BARE_ERROR, ENVIRONMENT]

export default defineConfig(
  { ignores: ['**/dist', '**/out-tsc', '**/coverage', '**/node_modules', '.*/', '**/.stryker-tmp', '**/*.bundled_*.mjs', '**/*.timestamp-*.mjs'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  tseslint.configs.recommended,
  {
    files: ['**/*.{ts,mjs,js}'],
    rules: {
      eqeqeq: ['error', 'always'],
      'no-constant-binary-expression': 'error',
      'no-self-compare': 'error',
      'no-unsafe-finally': 'error',
      'no-unused-private-class-members': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'max-depth': ['error', 3],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // `import { type A }` would still load the module at run time.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      ...restrict(NOT_STRIPPABLE, HIDDEN_SURFACE),
    },
  },
  {
    files: TYPED,
    languageOptions: { parserOptions: { project: ['./tsconfig.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
    },
  },
  {
    files: SOURCES,
    plugins: { '@nx': nx },
    rules: {
      'no-console': 'error',
      ...restrict(...IN_SOURCES),
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: false,
          // An app loads one entry of a package when it is needed, and imports another one of the same package.
          checkDynamicDependenciesExceptions: ['@smart-whale/**'],
          depConstraints: [
            { sourceTag: 'layer:contract', onlyDependOnLibsWithTags: [] },
            { sourceTag: 'layer:resilience', onlyDependOnLibsWithTags: ['layer:contract'] },
            { sourceTag: 'layer:core', onlyDependOnLibsWithTags: ['layer:contract', 'layer:resilience'] },
            // Which cores, and how, is narrowed below.
            { sourceTag: 'layer:data', onlyDependOnLibsWithTags: ['layer:contract', 'layer:resilience', 'layer:core'] },
            { sourceTag: 'layer:app', onlyDependOnLibsWithTags: ['*'] },
            { sourceTag: 'layer:tool', onlyDependOnLibsWithTags: ['*'] },
          ],
        },
      ],
    },
  },
  {
    files: ['packages/{clickhouse,timescaledb,messaging}/src/**/*.ts'],
    rules: restrict(...IN_SOURCES, OPTIONAL_PEERS),
  },
  { files: CONFIG_FILES, rules: restrict(NOT_STRIPPABLE, HIDDEN_SURFACE, BARE_ERROR) },
  { files: TEST_SUPPORT, rules: { ...restrict(NOT_STRIPPABLE, HIDDEN_SURFACE, ENVIRONMENT), 'max-lines-per-function': 'off' } },
  // One list of `create…` calls in start order reads better whole; the file's own limit keeps it in bounds.
  { files: ['apps/*/src/compose.ts'], rules: { 'max-lines': ['error', 120], 'max-lines-per-function': 'off' } },
  { files: ['apps/*/src/main.ts'], rules: { 'max-lines': ['error', 40] } },
  {
    files: TESTS,
    rules: {
      ...restrict(NOT_STRIPPABLE, HIDDEN_SURFACE),
      'max-lines': ['error', 500],
      'max-lines-per-function': 'off',
      '@nx/enforce-module-boundaries': 'off',
    },
  },
)
