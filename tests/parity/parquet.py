# JSON lines and a codec -> a parquet file as pyarrow writes it: dictionaries, several row groups, lists of structs, nulls.
import base64, io, json, sys
import pyarrow as pa
import pyarrow.parquet as pq

asked = json.load(sys.stdin)
files = {}
for codec in asked["codecs"]:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(asked["rows"]), out, compression=codec, row_group_size=asked["group"])
    files[codec] = base64.b64encode(out.getvalue()).decode()
print(json.dumps({"files": files}))
