// GraphiQL on the token of this tab; the shell itself shows nothing of the data.
const input = document.getElementById('token')
const root = ReactDOM.createRoot(document.getElementById('graphiql'))
input.value = sessionStorage.getItem('token') ?? ''

const EXAMPLE = `# Every value keeps its digits: 64-bit integers and decimals are strings.
{
  analytics(query: "SELECT origin, count() AS flights FROM flights GROUP BY origin ORDER BY flights DESC LIMIT 5") {
    columns { name type }
    data
  }
}
`

async function fetcher(params) {
  const token = sessionStorage.getItem('token')
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(params),
  })
  return response.json()
}

/** A new key makes GraphiQL read the schema again, which an earlier answer may have refused. */
function show(key) {
  root.render(React.createElement(GraphiQL, { key, fetcher, defaultQuery: EXAMPLE, shouldPersistHeaders: false }))
}

document.getElementById('sign-in').addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem('token', input.value.trim())
  show(Date.now())
})
show(0)
