/** Every table function of the embedded server's version, in small letters; a test compares the list with the running server. */
export const TABLE_FUNCTIONS: ReadonlySet<string> = new Set(
  [
    'azureblobstorage azureblobstoragecluster cluster clusterallreplicas cosn deltalake deltalakeazure deltalakeazurecluster',
    'deltalakecluster deltalakelocal deltalakes3 deltalakes3cluster dictionary eval executable file filecluster filesystem format',
    'fuzzjson fuzzquery gcs generate_series generaterandom generateseries hdfs hdfscluster hudi hudicluster iceberg icebergazure',
    'icebergazurecluster icebergcluster iceberghdfs iceberghdfscluster iceberglocal iceberglocalcluster icebergs3 icebergs3cluster',
    'input jdbc loop merge mergetreeanalyzeindexes mergetreeanalyzeindexesuuid mergetreeindex mergetreeprojection mergetreetextindex',
    'mongodb mysql null numbers numbers_mt odbc oss paimon paimonazure paimonazurecluster paimoncluster paimonhdfs paimonhdfscluster',
    'paimonlocal paimons3 paimons3cluster postgresql primes prometheusquery prometheusqueryrange redis remote remotesecure s3',
    's3cluster sqlite sqlstandardvalues timeseriesdata timeseriesmetrics timeseriessamples timeseriesselector timeseriestags url',
    'urlcluster values view viewexplain viewifpermitted ytsaurus zeros zeros_mt',
  ].flatMap((line) => line.split(' ')),
)

/** Table functions that neither parse a structure, in which expressions may stand, nor reach out of the databases that the user may see. */
export const HARMLESS_TABLE_FUNCTIONS: ReadonlySet<string> = new Set(['generate_series', 'generateseries', 'merge', 'numbers', 'numbers_mt', 'primes', 'view', 'zeros', 'zeros_mt'])

/** Functions that read files, show the server's configuration, call other services or evaluate a text: never columns of somebody's, so refused wherever they stand. */
export const REACHING_FUNCTIONS: ReadonlySet<string> = new Set([
  'file', 'structuretocapnprotoschema', 'structuretoprotobufschema', 'catboostevaluate',
  'getserversetting', 'getmergetreesetting', 'getmacro', 'getserverport', 'getclienthttpheader', 'showcertificate',
  'filesystemavailable', 'filesystemcapacity', 'filesystemunreserved', 'getoskernelversion', 'logtrace',
  'addresstoline', 'addresstolinewithinlines', 'addresstosymbol', 'demangle',
  'aiclassify', 'aiembed', 'aiextract', 'aigenerate', 'aitranslate',
])

/** Functions without arguments that show the server's host: refused where they are called, because columns are named so too. */
export const HOST_FUNCTIONS: ReadonlySet<string> = new Set([
  'hostname', 'fqdn', 'fullhostname', 'displayname', 'serveruuid', 'uptime', 'tcpport', 'buildid', 'shardnum', 'shardcount', 'zookeepersessionuptime', 'tid',
])

/** Functions whose first argument names an aggregate function; the server evaluates whatever stands between that one's brackets. */
export const NAMING_FUNCTIONS: ReadonlySet<string> = new Set(['arrayreduce', 'arrayreduceinranges', 'initializeaggregation'])
