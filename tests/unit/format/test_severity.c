#include "format/scan.h"

#include "tap.h"

static enum vv_severity of(const char *code, const char *detail)
{
	struct vv_finding f = {code, 0, detail};

	return vv_severity_of(&f);
}

int main(void)
{
	CHECK_INT(of("pickle-global", "os.system"), VV_DANGEROUS);
	CHECK_INT(of("pickle-global", "posix.system"), VV_DANGEROUS);
	CHECK_INT(of("pickle-global", "asyncio.unix_events.x"), VV_DANGEROUS); /* M6: a submodule */
	CHECK_INT(of("pickle-global", "a/data.pkl: subprocess.Popen"), VV_DANGEROUS);
	CHECK_INT(of("pickle-global", "x: y: builtins.eval"), VV_DANGEROUS);
	CHECK_INT(of("pickle-global", "builtins.evaluate"), VV_SUSPICIOUS); /* M5: no prefix match */
	CHECK_INT(of("pickle-global", "oslo.config"), VV_SUSPICIOUS);
	CHECK_INT(of("pickle-global", "sklearn.svm._classes.SVC"), VV_SUSPICIOUS);
	CHECK_INT(of("pickle-global", "torch.nn.modules.linear.Linear"), VV_SUSPICIOUS);
	CHECK_INT(of("pickle-global", "torch.storage._load_from_bytes"), VV_DANGEROUS); /* M12 */
	CHECK_INT(of("pickle-global", "logging.os.system"), VV_DANGEROUS);
	CHECK_INT(of("pickle-global", "sklearn.osx.system"), VV_SUSPICIOUS);
	CHECK_INT(of("pickle-extension", "5"), VV_DANGEROUS);
	CHECK_INT(of("keras-global", "config.json: os.system"), VV_DANGEROUS);
	CHECK_INT(of("keras-global", "keras.utils.get_file"), VV_DANGEROUS);
	CHECK_INT(of("keras-global", "mine.layers.Own"), VV_SUSPICIOUS);
	CHECK_INT(of("tf-op", "saved_model.pb: WriteFile"), VV_DANGEROUS);
	CHECK_INT(of("tf-op", "TextLineDataset"), VV_SUSPICIOUS);
	CHECK_INT(of("zip-bomb", ""), VV_DANGEROUS);
	CHECK_INT(of("crc", "os.system"), VV_SUSPICIOUS);
	CHECK_INT(of("deflated", ""), VV_NOTE);
	CHECK_INT(of("no such code", ""), VV_SUSPICIOUS);
	CHECK_STR(vv_severity_name(VV_NOTE), "note");
	CHECK_STR(vv_severity_name(VV_SUSPICIOUS), "suspicious");
	CHECK_STR(vv_severity_name(VV_DANGEROUS), "dangerous");
	return done();
}
