// Azurite reads its accounts from an environment variable, once a minute. Accounts of the tests' Azure are made while it
// runs, so that before each look it is given what stands in a file; all else is Azurite's own.
const fs = require("fs");
const path = require("path");

const common = path.join(path.dirname(fs.realpathSync(process.argv[1])), "..", "common");
const store = require(path.join(common, "AccountDataStore")).default;
const getAccount = store.prototype.getAccount;

store.prototype.getAccount = function (name) {
  const accounts = fs.readFileSync(process.env.AZURITE_ACCOUNTS_FILE, "utf8");
  if (accounts !== process.env.AZURITE_ACCOUNTS) {
    process.env.AZURITE_ACCOUNTS = accounts;
    this.refresh();
  }
  return getAccount.call(this, name);
};
